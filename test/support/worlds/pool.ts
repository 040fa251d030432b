/** Users of a connection pool, and a server whose dials, validations and closes end on command. */
import type { ConnectionPool, ConnectionPoolOptions, Lease } from 'latchkey';
import { vi } from 'vitest';
import type * as everything from '../everything.js';
import type { Move, World } from '../explore.js';
import { Budget, leftTimers, type Manners, newcomers, Party, timeMoves } from './party.js';
import { type Connection, type Mishap, PoolServer } from './pool-server.js';

export interface PoolPlan extends Readonly<Partial<Record<Mishap, number>>> {
  readonly options: ConnectionPoolOptions;
  /** `spoils`: gives its connection back with an error. */
  readonly workers: readonly (Manners & { readonly key?: string; readonly spoils?: boolean })[];
  /** The pool may be closed at any time; leases may then last so long. */
  readonly graceMs?: number;
  /** Whether the end of a close is a move; otherwise it ends at once. */
  readonly closesSlowly?: boolean;
  readonly heedsAborts?: boolean;
}

type Worker = Party<Lease<Connection, string>> & {
  readonly key: string;
  readonly spoils: boolean;
  order: number;
  generation: number;
};

const calm: ConnectionPoolOptions = {
  max: 1,
  waitTimeoutMs: Infinity,
  connectTimeoutMs: Infinity,
  closeTimeoutMs: Infinity,
  idleTimeoutMs: Infinity,
  maxLifetimeMs: Infinity,
  validateTimeoutMs: Infinity,
};

export class PoolWorld implements World {
  readonly #plan: PoolPlan;
  readonly #max: number;
  readonly #sharing: number;
  readonly #pool: ConnectionPool<Connection, string>;
  readonly #server: PoolServer;
  readonly #workers: Worker[];
  readonly #budget: Budget<Mishap>;
  #isClosing = false;
  #isClosed = false;
  #isForced = false;
  #asked = 0;
  #generation = 0;

  constructor({ ConnectionPool }: typeof everything, plan: PoolPlan) {
    const options = { ...calm, ...plan.options };
    this.#plan = plan;
    this.#max = options.max!;
    this.#sharing = options.leasesPerConnection ?? 1;
    this.#budget = new Budget(plan, ['failures', 'refusals', 'losses', 'deaths', 'resets']);
    this.#server = new PoolServer(this.#max, plan.closesSlowly ?? false, plan.heedsAborts ?? false);
    this.#workers = plan.workers.map((worker, i) => {
      const { key = 'a', spoils = false } = worker;
      const party = new Party<Lease<Connection, string>>(`worker ${i}`, worker);
      return Object.assign(party, { key, spoils, order: 0, generation: 0 });
    });
    this.#pool = new ConnectionPool<Connection, string>(
      {
        connect: (key, context) => this.#server.dial(key, context, this.#generation),
        close: (connection) => this.#close(connection),
        isAlive: (connection) => this.#server.isAlive(connection),
        ...(plan.refusals !== undefined && { validate: (connection) => this.#server.validate(connection) }),
      },
      options,
    );
  }

  moves(): Move[] {
    const asking = newcomers(this.#workers);
    const moves = this.#isClosing
      ? []
      : asking.map((worker): Move => [`${worker.name} asks`, () => this.#arrive(worker)]);
    for (const worker of this.#workers) {
      if (worker.got !== undefined) moves.push([`${worker.name} releases`, () => this.#release(worker)]);
      moves.push(...worker.abortMoves());
    }
    moves.push(...this.#server.moves(this.#budget));
    if (!this.#isClosing) moves.push(...this.#budget.moves('resets', ['it is reset', () => this.#reset()]));
    moves.push(...timeMoves());
    const mayClose = this.#plan.graceMs !== undefined || moves.length === 0;
    if (mayClose && !this.#isClosing && !this.#isStuck) moves.push(['it closes', () => this.#shutDown()]);
    return moves;
  }

  wrongs(): string[] {
    const { connecting, idle, leased, validating, closing, total, waiting } = this.#pool.stats();
    const wrongs = [...this.#server.wrongs];
    if (connecting + idle + leased + validating + closing !== total) wrongs.push('the counts do not add up');
    if (total > this.#max) wrongs.push(`${total} slots of ${this.#max}`);
    const waiters = this.#workers.filter(({ observed }) => observed === 'waiting');
    if (waiting !== waiters.length)
      wrongs.push(`${waiting} wait by the counts, ${waiters.length} by the workers`);
    for (const waiter of waiters) wrongs.push(...this.#unserved(waiter));
    return wrongs;
  }

  leftovers(): string[] {
    const { total, waiting, keys } = this.#pool.stats();
    const left = this.#workers
      .filter(({ observed }) => observed !== 'away')
      .flatMap((worker) => worker.leftovers());
    if (total + waiting + keys > 0) left.push(`left: ${total} slots, ${waiting} waiters, ${keys} keys`);
    if (!this.#isClosed) left.push('its close does not end');
    for (const { id, closes } of this.#server.connections)
      if (closes !== 1) left.push(`connection ${id} was closed ${closes} times`);
    return [...left, ...leftTimers()];
  }

  get #isStuck(): boolean {
    return this.#plan.graceMs === undefined && this.#workers.some(({ observed }) => observed === 'waiting');
  }

  /** P6, P7, P10: why a worker waits that should not. */
  #unserved({ name, key, order }: Worker): string[] {
    const wrongs: string[] = [];
    const overtaking = this.#workers.find(
      (other) => other.key === key && other.observed === 'granted' && other.order > order,
    );
    if (overtaking !== undefined) wrongs.push(`${overtaking.name} has overtaken ${name}`);
    const { total, connecting, validating, closing } = this.#pool.stats();
    // A shared connection is validated beside its leases, and does not count as validating.
    const isBusy = connecting + validating + closing > 0 || this.#server.isAsked || vi.getTimerCount() > 0;
    if (!isBusy && total < this.#max) wrongs.push(`nothing is done for ${name}, though there is room`);
    const idle = this.#server.connections.find(
      (connection) => connection.key === key && this.#isIdle(connection),
    );
    if (idle !== undefined) wrongs.push(`${name} waits beside idle connection ${idle.id}`);
    return wrongs;
  }

  #isIdle(connection: Connection): boolean {
    if (!connection.isOpen || connection.isLost || connection.isDead || this.#plan.refusals !== undefined)
      return false;
    return this.#holders(connection).length === 0;
  }

  #holders(connection: Connection): Worker[] {
    return this.#workers.filter(({ got }) => got !== undefined && got.connection === connection);
  }

  #arrive(worker: Worker): void {
    worker.order = ++this.#asked;
    worker.generation = this.#generation;
    worker.ask((options) =>
      this.#pool.acquire(worker.key, options).then((lease) => {
        this.#checkLease(worker, lease.connection);
        return lease;
      }),
    );
  }

  #checkLease({ name, key, generation }: Worker, connection: Connection): void {
    const { wrongs } = this.#server;
    if (connection.key !== key) wrongs.push(`${name} got a connection to ${connection.key}`);
    if (this.#holders(connection).length >= this.#sharing) wrongs.push(`${name} is one too many`);
    if (!connection.isOpen && !this.#isForced) wrongs.push(`${name} got a closed connection`);
    if (connection.leases > 0 && !connection.isProved && this.#sharing === 1)
      wrongs.push(`${name} got used connection ${connection.id} unasked (P14)`);
    connection.leases++;
    connection.isProved = false;
    if (connection.generation < generation) wrongs.push(`${name} got a connection of before the reset`);
  }

  #release(worker: Worker): void {
    const { got } = worker;
    worker.got = undefined;
    got?.release(worker.spoils ? new Error('spoilt') : undefined);
    got?.release();
  }

  #close(connection: Connection): Promise<void> {
    if (this.#holders(connection).length > 0 && !this.#isForced) {
      this.#server.wrongs.push(`connection ${connection.id} is closed while it is leased`);
    }
    return this.#server.close(connection);
  }

  #reset(): void {
    this.#generation++;
    this.#pool.reset();
  }

  #shutDown(): void {
    this.#isClosing = true;
    const { graceMs = Infinity } = this.#plan;
    this.#isForced = graceMs !== Infinity;
    void this.#pool.close({ graceMs }).then(() => {
      this.#isClosed = true;
    });
  }
}
