/** Callers of a lock and of its model, side by side. */
import type { Permit } from 'latchkey';
import { vi } from 'vitest';
import type * as everything from '../everything.js';
import type { Move, World } from '../explore.js';
import type { Lock, LockSubject, Model, Wants } from './lock-subjects.js';
import { Budget, leftTimers, type Manners, newcomers, Party, timeMoves } from './party.js';

export interface LockPlan {
  readonly workers: readonly (Manners & { readonly wants: Wants })[];
  /** The values of the limit, in this order; the last one has room for all workers. */
  readonly limits?: readonly number[];
  readonly closes?: boolean;
  /** How often time passes without a timer that is due. */
  readonly pauses?: number;
}

type Worker = Party<Permit> & { readonly wants: Wants; id: number; expected: string; deadlineMs: number };

export class LockWorld implements World {
  readonly #lock: Lock;
  readonly #model: Model;
  readonly #workers: Worker[];
  readonly #limits: number[];
  readonly #budget: Budget<'pauses'>;
  #mayClose: boolean;
  #queue: Worker[] = [];
  #asked = 0;
  readonly #tooEarly: string[] = [];

  constructor(subject: LockSubject, from: typeof everything, plan: LockPlan) {
    const { workers, limits = [], closes = false } = plan;
    this.#budget = new Budget(plan, ['pauses']);
    this.#lock = subject.lock(from);
    this.#model = subject.model();
    this.#workers = workers.map((worker, i) =>
      Object.assign(new Party<Permit>(`worker ${i} (${worker.wants})`, worker), {
        wants: worker.wants,
        id: -1,
        expected: 'away',
        deadlineMs: Infinity,
      }),
    );
    this.#limits = this.#lock.setLimit === undefined ? [] : [...limits];
    this.#mayClose = closes && this.#lock.close !== undefined;
  }

  moves(): Move[] {
    const asking = newcomers(this.#workers);
    const moves = asking.map((worker): Move => [`${worker.name} asks`, () => this.#ask(worker)]);
    for (const worker of this.#workers) {
      if (worker.got !== undefined) moves.push([`${worker.name} releases`, () => this.#release(worker)]);
      moves.push(...worker.abortMoves(() => this.#leave(worker, 'aborted')));
    }
    // Time passes only while a worker waits for it, so that a timer that is left over is noticed at the end.
    if (this.#queue.some(({ deadlineMs }) => deadlineMs !== Infinity)) {
      moves.push(...timeMoves(() => this.#expire()));
    }
    moves.push(...this.#budget.moves('pauses', ['a while passes', () => this.#pause(), 'timer']));
    const [limit] = this.#limits;
    if (limit !== undefined) moves.push([`the limit becomes ${limit}`, () => this.#setLimit(limit)]);
    if (this.#mayClose) moves.push(['it closes', () => this.#close()]);
    return moves;
  }

  /** M1, M2, M3, K1, W2: each worker is where the model says, after every step. */
  wrongs(): string[] {
    const different = this.#workers.filter(({ observed, expected }) => observed !== expected);
    const wrongs = different.map(({ name, observed, expected }) => `${name} is ${observed}, not ${expected}`);
    return [...this.#tooEarly, ...wrongs];
  }

  leftovers(): string[] {
    const left = this.#workers.flatMap((worker) => worker.leftovers());
    return [...left, ...leftTimers(), ...(this.#lock.isFree() ? [] : ['a permit was lost'])];
  }

  #ask(worker: Worker): void {
    worker.id = this.#asked++;
    const { patienceMs } = worker.manners;
    if (patienceMs !== undefined) {
      // Deadlines that fall together may end in either order: the model knows of none.
      worker.deadlineMs = performance.now() + patienceMs;
      while (this.#workers.some((other) => other !== worker && other.deadlineMs === worker.deadlineMs)) {
        worker.deadlineMs += 2;
      }
    }
    worker.expected = this.#model.refuses?.(worker) ?? 'waiting';
    if (worker.expected === 'waiting') this.#queue.push(worker);
    this.#serve();
    const waitMs = patienceMs === undefined ? undefined : worker.deadlineMs - performance.now();
    worker.ask(async (options) => {
      const permit = await this.#lock.acquire(worker.wants, options);
      if (worker.expected !== 'granted') this.#tooEarly.push(`${worker.name} is granted too early`);
      return permit;
    }, waitMs);
  }

  #release(worker: Worker): void {
    const { got } = worker;
    worker.got = undefined;
    got?.release();
    got?.release();
    this.#model.give(worker);
    this.#serve();
  }

  #leave(worker: Worker, why: string): void {
    if (worker.expected !== 'waiting') return;
    worker.expected = why;
    this.#queue = this.#queue.filter((waiting) => waiting !== worker);
    this.#serve();
  }

  #expire(): void {
    const overdue = this.#queue.filter(({ deadlineMs }) => deadlineMs <= performance.now());
    for (const worker of overdue.sort((a, b) => a.deadlineMs - b.deadlineMs))
      this.#leave(worker, 'ERR_WAIT_TIMEOUT');
  }

  #pause(): void {
    vi.advanceTimersByTime(4);
    this.#expire();
  }

  #setLimit(limit: number): void {
    this.#limits.shift();
    this.#lock.setLimit?.(limit);
    this.#model.setLimit?.(limit);
    this.#queue = this.#queue.filter((worker) => {
      const refusal = this.#model.refuses?.(worker);
      if (refusal !== undefined) worker.expected = refusal;
      return refusal === undefined;
    });
    this.#serve();
  }

  #close(): void {
    this.#mayClose = false;
    this.#lock.close?.();
    this.#model.close?.();
    for (const worker of this.#queue.splice(0)) worker.expected = 'ERR_CLOSED';
  }

  #serve(): void {
    const next = this.#queue.findIndex((worker, i) =>
      this.#model.fits(worker, this.#queue.slice(0, i), this.#queue.slice(i + 1)),
    );
    if (next === -1) return;
    const [worker] = this.#queue.splice(next, 1);
    this.#model.take(worker!);
    worker!.expected = 'granted';
    this.#serve();
  }
}
