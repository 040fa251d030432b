/** A pool, the world it connects to, and the invariants of both. */
import {
  type CloseOptions,
  type CloseReason,
  type ConnectContext,
  ConnectionPool,
  type ConnectionPoolEvent,
  type ConnectionPoolOptions,
  type ConnectionPoolStats,
  type Connector,
  type Lease,
} from 'latchkey';
import { expect, vi } from 'vitest';
import { type Outcome, watch } from './lock-likes.js';
import { ManualTime, settled } from './manual-time.js';
import { SeededRandom } from './seeded-random.js';

export interface Connection {
  readonly id: number;
  readonly key: string;
  readonly context: ConnectContext;
  closedFor: CloseReason | undefined;
  closes: number;
}

export type PoolLease = Lease<Connection, string>;

export interface WorldOptions extends ConnectionPoolOptions {
  /** How long a dial takes, or what it does instead. */
  connect?: number | ((connection: Connection) => unknown);
  /** How long a close takes, or what it does instead. */
  close?: number | ((connection: Connection) => unknown);
  hooks?: Partial<Connector<Connection, string>>;
  /** Which pool is put to the test: the real one, or one that is wrong on purpose. */
  Pool?: typeof ConnectionPool;
  /** The source of the pool's jitter. Default: the same for every world. */
  random?: () => number;
}

/** No claim dials more often: a pool that does would never let time pass. */
const endlessDials = 20_000;

export class World {
  readonly time = new ManualTime();
  readonly pool: ConnectionPool<Connection, string>;
  readonly events: ConnectionPoolEvent[] = [];
  readonly connections: Connection[] = [];
  readonly dialled: string[] = [];
  /** The count of the other side: sockets from the dial to the end of the close. */
  alive = 0;
  aliveByKey = new Map<string, number>();
  peak = 0;
  readonly violations: string[] = [];
  readonly acquires: Outcome<PoolLease>[] = [];
  readonly #jitter: { mockRestore(): void };
  readonly #max: number;
  readonly #maxPerKey: number;

  constructor(options: WorldOptions = {}) {
    const { connect = 10, close = 0, hooks = {}, onEvent, Pool = ConnectionPool, ...rest } = options;
    const { random = new SeededRandom(1).next, ...poolOptions } = rest;
    this.time.install();
    this.#jitter = vi.spyOn(Math, 'random').mockImplementation(random);
    this.#max = poolOptions.max ?? 50;
    const { maxPerKey = this.#max } = poolOptions;
    this.#maxPerKey = typeof maxPerKey === 'number' ? maxPerKey : this.#max;
    this.pool = new Pool<Connection, string>(
      {
        connect: (key, context) => {
          this.dialled.push(key);
          if (this.dials > endlessDials) {
            this.violations.push('endless dialling');
            return new Promise(() => {});
          }
          const connection: Connection = {
            id: this.dialled.length,
            key,
            context,
            closedFor: undefined,
            closes: 0,
          };
          this.#open(key, 1);
          this.check();
          const opened = () => {
            this.connections.push(connection);
            return connection;
          };
          const failed = (error: unknown) => {
            this.#open(key, -1);
            throw error;
          };
          try {
            const dial = typeof connect === 'number' ? this.time.sleep(connect) : connect(connection);
            return Promise.resolve(dial).then(opened, failed);
          } catch (error) {
            return failed(error);
          }
        },
        close: async (connection, reason) => {
          connection.closedFor = reason;
          connection.closes++;
          if (connection.closes > 1) this.violations.push(`connection ${connection.id} was closed again`);
          this.check();
          try {
            await (typeof close === 'number' ? close > 0 && this.time.sleep(close) : close(connection));
          } finally {
            this.#open(connection.key, -1);
          }
        },
        ...hooks,
      },
      {
        ...poolOptions,
        onEvent: (event) => {
          this.events.push(event);
          this.check();
          onEvent?.(event);
        },
      },
    );
  }

  get stats(): ConnectionPoolStats {
    return this.pool.stats();
  }

  get dials(): number {
    return this.dialled.length;
  }

  #open(key: string, step: number): void {
    this.alive += step;
    const alive = (this.aliveByKey.get(key) ?? 0) + step;
    if (alive === 0) this.aliveByKey.delete(key);
    else this.aliveByKey.set(key, alive);
    this.peak = Math.max(this.peak, this.alive);
  }

  acquire(key = 'a', options?: { signal?: AbortSignal; waitTimeoutMs?: number }): Outcome<PoolLease> {
    const outcome = watch(this.pool.acquire(key, options));
    this.acquires.push(outcome);
    return outcome;
  }

  /** Acquires, and lets as much time pass as that takes. */
  async lease(key = 'a'): Promise<PoolLease> {
    const outcome = this.acquire(key);
    for (let waitedMs = 0; outcome.state === 'pending' && waitedMs < 1_000; waitedMs++) await this.advance(1);
    if (outcome.value === undefined) throw outcome.reason ?? new Error(`no lease of ${key}`);
    return outcome.value;
  }

  async advance(ms: number): Promise<void> {
    await this.time.advance(ms);
    this.check();
  }

  async settle(): Promise<void> {
    await settled();
    this.check();
  }

  /** The invariants that can be seen from outside, true after every step and inside every hook (P1, P2, P5). */
  check(): void {
    const stats = this.pool?.stats();
    if (stats === undefined) return;
    const { connecting, idle, leased, validating, closing, total, abandoned } = stats;
    if (connecting + idle + leased + validating + closing !== total)
      this.violations.push('the counts do not add up');
    if (total > this.#max) this.violations.push(`${total} slots of ${this.#max}`);
    if (Object.values(stats).some((count) => count < 0))
      this.violations.push(`a count below 0: ${JSON.stringify(stats)}`);
    if (abandoned === 0 && this.alive > this.#max)
      this.violations.push(`${this.alive} sockets of ${this.#max}`);
    for (const [key, alive] of this.aliveByKey) {
      if (abandoned === 0 && alive > this.#maxPerKey)
        this.violations.push(`${alive} sockets of ${this.#maxPerKey} to ${key}`);
    }
  }

  /** Gives the globals back. */
  leave(): void {
    this.time.uninstall();
    this.#jitter.mockRestore();
  }

  /** Closes the pool and asserts that no slot, timer or waiter is left (P4, P5, P11), and that no check failed on the way. */
  async end(closeOptions: CloseOptions = { graceMs: 0 }): Promise<void> {
    const closed = watch(this.pool.close(closeOptions));
    for (let i = 0; i < 20 && closed.state === 'pending'; i++) await this.advance(1_000);
    const { total, waiting, keys, abandoned } = this.stats;
    const armed = this.time.armed;
    this.leave();
    expect(this.violations).toEqual([]);
    expect(closed.state).toBe('fulfilled');
    expect({ total, waiting, keys }).toEqual({ total: 0, waiting: 0, keys: 0 });
    if (abandoned === 0) expect({ alive: this.alive, armed }).toEqual({ alive: 0, armed: 0 });
    for (const { times } of this.acquires) expect(times).toBe(1);
    for (const { id, closes } of this.connections) expect([id, closes]).toEqual([id, 1]);
  }
}
