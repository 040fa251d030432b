/**
 * Lease keepers, one in each process, with a database whose every answer is a move: an answer may come late, get lost, or never
 * come, and sessions may end. Time passes when no other move is left, and a few times before.
 */
import type { KeyLease } from 'latchkey';
import type { LeaseAnswer, LeaseEngine } from '../../../src/remote-locks/lease-engine.js';
import { MemoryEngine } from '../../remote-locks/support/memory-engine.js';
import type * as everything from '../everything.js';
import type { Move, World } from '../explore.js';
import { Budget, leftTimers, type Manners, newcomers, Party, timeMoves } from './party.js';
import { pose, type Question } from './question.js';

export interface LeasePlan {
  readonly workers: readonly (Manners & { readonly process: number })[];
  /** How many answers, or questions, get lost; how many sessions end; how often time passes early. */
  readonly losses?: number;
  readonly ends?: number;
  readonly haste?: number;
  /** Whether the database wakes the waiters. */
  readonly wakes?: boolean;
  /** Whether an answer arrives some time after the database has carried out the request. */
  readonly answersLate?: boolean;
  /** Moments at which something may happen, beside those of the keepers' own timers. */
  readonly momentsMs?: readonly number[];
}

const key = 'key';
const ttlMs = 300;

type Worker = Party<KeyLease<string>> & {
  readonly process: number;
  order: number;
  /** As the holder sees it: reading the signal late must show the loss, too. */
  held: { readonly token: bigint; readonly signal: AbortSignal } | undefined;
};

const believes = ({ held }: Worker) => held !== undefined && !held.signal.aborted;

interface Request {
  readonly name: string;
  readonly what: 'acquire' | 'renew' | 'release';
  readonly process: number;
  readonly askedMs: number;
  /** The requests to the database; `served` are those that it has carried out. */
  serve(): Promise<LeaseAnswer | boolean>;
  served?: Promise<LeaseAnswer | boolean>;
}

type Asked = Question<LeaseAnswer | boolean> & Request;

export class LeaseWorld implements World {
  readonly #server = new MemoryEngine();
  readonly #keepers: everything.LeaseKeeper<string>[];
  readonly #workers: Worker[];
  readonly #questions = new Set<Asked>();
  readonly #wakes = new Set<() => void>();
  readonly #lost = new Map<string, (cause: unknown) => void>();
  /** The tokens, by owner. */
  readonly #tokens = new Map<string, bigint>();
  readonly #ended = new Set<bigint>();
  readonly #released = new Set<bigint>();
  readonly #budget: Budget<'losses' | 'ends' | 'haste'>;
  readonly #answersLate: boolean;
  readonly #wrongs: string[] = [];
  #asked = 0;
  #posed = 0;
  #lastToken = 0n;

  constructor({ LeaseKeeper }: typeof everything, plan: LeasePlan) {
    const { workers, wakes = false, answersLate = false, momentsMs = [] } = plan;
    this.#answersLate = answersLate;
    this.#budget = new Budget(plan, ['losses', 'ends', 'haste']);
    this.#workers = workers.map((worker, i) => {
      const party = new Party<KeyLease<string>>(`worker ${i}`, worker);
      return Object.assign(party, { process: worker.process, order: 0, held: undefined });
    });
    const processes = 1 + Math.max(...workers.map(({ process }) => process));
    this.#keepers = Array.from(
      { length: processes },
      (_, process) => new LeaseKeeper(this, this.#engine(process, wakes), String, { ttlMs }),
    );
    for (const momentMs of momentsMs) setTimeout(() => {}, momentMs);
  }

  moves(): Move[] {
    const asking = newcomers(this.#workers);
    const moves = asking.map((worker): Move => [`${worker.name} asks`, () => this.#ask(worker)]);
    for (const worker of this.#workers) {
      if (worker.got !== undefined) moves.push([`${worker.name} releases`, () => this.#release(worker)]);
      moves.push(...worker.abortMoves());
    }
    for (const question of this.#questions) moves.push(...this.#questionMoves(question));
    const holder = this.#server.holders.get(key);
    if (holder !== undefined && this.#lost.has(holder.owner)) {
      moves.push(
        ...this.#budget.moves('ends', [
          'the session of the holder ends',
          () => this.#end(holder.owner, holder.token),
        ]),
      );
    }
    if (moves.length === 0) return timeMoves();
    const [time] = timeMoves();
    if (time !== undefined)
      moves.push(...this.#budget.moves('haste', ['time passes early', time[1], 'timer']));
    return moves;
  }

  #questionMoves(question: Asked): Move[] {
    const { name, served } = question;
    if (served !== undefined) return [[`${name} is answered`, () => question.answer(served)]];
    const serve = () => {
      question.served = question.serve();
      return question.served;
    };
    const loseAnswer = () => {
      void serve();
      question.fail();
    };
    return [
      this.#answersLate
        ? [`${name} is served`, serve]
        : [`${name} is answered`, () => question.answer(serve())],
      ...this.#budget.moves('losses', [`${name} is lost`, question.fail]),
      ...this.#budget.moves('losses', [`the answer to ${name} is lost`, loseAnswer]),
    ];
  }

  wrongs(): string[] {
    const wrongs = [...this.#wrongs];
    const believers = this.#workers.filter(believes);
    if (believers.length > 1)
      wrongs.push(`${believers.map(({ name }) => name).join(' and ')} hold it at once`);
    const holder = this.#server.holders.get(key);
    const isHeld = holder !== undefined && holder.endsAtMs > Date.now();
    const isWanted =
      this.#questions.size > 0 || this.#workers.some(({ held }) => held?.token === holder?.token);
    if (isHeld && !isWanted && !this.#budget.isSpent) wrongs.push('the key is held, and no caller wants it');
    for (const { name, held } of believers) {
      if (!isHeld || holder.token !== held!.token)
        wrongs.push(`${name} believes that it holds a key that others can get`);
      if (this.#ended.has(held!.token)) wrongs.push(`${name} does not learn that its session has ended`);
    }
    for (const { name, process, order, observed } of this.#workers) {
      if (observed !== 'waiting') continue;
      const overtaking = this.#workers.find(
        (other) => other.process === process && other.observed === 'granted' && other.order > order,
      );
      if (overtaking !== undefined) wrongs.push(`${overtaking.name} has overtaken ${name}`);
    }
    return wrongs;
  }

  leftovers(): string[] {
    const left = this.#workers.flatMap((worker) => worker.leftovers());
    // A grant whose answer was lost ends with its time to live.
    if (!this.#budget.isSpent && this.#server.holders.size > 0) left.push('the key was not given back');
    return [...left, ...leftTimers()];
  }

  #ask(worker: Worker): void {
    worker.order = ++this.#asked;
    worker.ask(async (options) => {
      const lease = await this.#keepers[worker.process]!.acquire(key, options);
      const { token, signal } = lease;
      worker.held = { token, signal };
      const others = this.#workers.filter((other) => other !== worker && believes(other));
      if (others.length > 0) this.#wrongs.push(`${worker.name} gets it while ${others[0]!.name} holds it`);
      if (token <= this.#lastToken) this.#wrongs.push(`token ${token} comes after ${this.#lastToken}`);
      this.#lastToken = token;
      return lease;
    });
  }

  #release(worker: Worker): void {
    const { got } = worker;
    if (got !== undefined) this.#released.add(got.token);
    worker.got = undefined;
    worker.held = undefined;
    void got?.release();
    void got?.release();
  }

  #end(owner: string, token: bigint): void {
    this.#server.holders.delete(key);
    this.#ended.add(token);
    this.#lost.get(owner)?.(new Error('terminated'));
  }

  #engine(process: number, wakes: boolean): LeaseEngine {
    return {
      acquire: (request) => {
        this.#lost.set(request.owner, request.lost);
        this.#checkAlone(process);
        return this.#pose('acquire', process, async () => {
          const answer = await this.#server.acquire(request);
          if ('token' in answer) this.#tokens.set(request.owner, answer.token);
          return answer;
        });
      },
      renew: (name, owner, forMs) => {
        const isReleased = this.#released.has(this.#tokens.get(owner) ?? 0n);
        if (isReleased) this.#wrongs.push('a released lease is renewed');
        return this.#pose('renew', process, () => this.#server.renew(name, owner, forMs));
      },
      release: (...args) =>
        this.#pose('release', process, async () => {
          const isReleased = await this.#server.release(...args);
          if (isReleased) for (const wake of [...this.#wakes]) wake();
          return isReleased;
        }),
      ...(wakes && {
        onFreed: (_key: string, wake: () => void) => {
          this.#wakes.add(wake);
          return () => void this.#wakes.delete(wake);
        },
      }),
    };
  }

  /** LK1. The keeper waits half a time to live for an answer at least: after that, a request may have been given up. */
  #checkAlone(process: number): void {
    const holder = this.#workers.find((worker) => worker.process === process && believes(worker));
    if (holder !== undefined)
      this.#wrongs.push(`process ${process} asks for the key that ${holder.name} has`);
    const pending = [...this.#questions].filter(
      ({ what, askedMs }) => what === 'acquire' && performance.now() < askedMs + ttlMs / 2,
    );
    if (pending.some((other) => other.process === process))
      this.#wrongs.push(`process ${process} asks twice at once`);
  }

  #pose<T extends LeaseAnswer | boolean>(
    what: Request['what'],
    process: number,
    serve: () => Promise<T>,
  ): Promise<T> {
    const request = { name: `${what} ${++this.#posed}`, what, process, askedMs: performance.now(), serve };
    return pose<LeaseAnswer | boolean, Request>(this.#questions, request) as Promise<T>;
  }
}
