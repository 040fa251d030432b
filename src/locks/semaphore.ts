/**
 * Semaphore: at most `limit` units of work at a time; a caller may ask for more than one unit.
 *
 * Invariants
 *   S1  The sum of the weights held is `held`; it exceeds `limit` only after `limit` was lowered.
 *   S2  While somebody waits, the oldest waiter's weight does not fit into what is free.
 *   S3  Waiters go first come, first served whatever their weight: light ones never starve a heavy one.
 *   S4  After `close()` nobody waits and nobody is granted.
 *
 * Hand-over: whatever frees units (a release, a raised limit, a heavy waiter who left) grants, in the same turn, as
 *   many of the oldest waiters as now fit.
 * Cancel: giving up loses the caller's place in the queue and nothing else. Once granted, an abort has no effect.
 * Cost: uncontended `run` is one call and one derived promise.
 * Not here: rates per second, priorities. Lineage: golang.org/x/sync/semaphore, whose argument for strict order is
 *   the reader-writer lock: a writer takes all N units and must not wait for a gap between readers.
 */

import { Holder, runAndRelease } from '../calling/run-and-release.js';
import {
  checkCount,
  checkFunction,
  checkLimit,
  checkOptions,
  type OptionNames,
} from '../contract/arguments.js';
import { ClosedError, QueueFullError, type WaitDetails } from '../contract/errors.js';
import type { Awaitable, Limiter, Permit, WaitOptions } from '../contract/types.js';
import { observer } from '../runtime/observer.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner, Turn } from '../waiting/waiter.js';

export interface SemaphoreOptions {
  /** How many callers may wait; one more is refused with `QueueFullError` at once. Default: no bound. */
  maxWaiting?: number | undefined;
}

const optionNames: OptionNames<SemaphoreOptions> = { maxWaiting: true };

export interface WeightedWaitOptions extends WaitOptions {
  /** How many units to take. Default 1. */
  weight?: number | undefined;
}

export interface SemaphoreStats {
  limit: number;
  held: number;
  waiting: number;
  closed: boolean;
}

export class Semaphore implements Limiter {
  readonly #state: SemaphoreState;

  /** @throws TypeError or RangeError when `limit` or `maxWaiting` is not a whole number or Infinity. */
  constructor(limit: number, options?: SemaphoreOptions);
  /** @internal `source` is what a user knows of, where that is not the semaphore itself. */
  constructor(limit: number, options: SemaphoreOptions, source: object);
  constructor(limit: number, options: SemaphoreOptions = {}, source: object = this) {
    checkLimit('limit', limit);
    checkOptions(options, optionNames);
    const { maxWaiting = Infinity } = options;
    checkCount('maxWaiting', maxWaiting);
    this.#state = new SemaphoreState(source, limit, maxWaiting);
  }

  /** How many units may be held. May be set at any time; lowering it never interrupts a holder. */
  get limit(): number {
    return this.#state.limit;
  }

  set limit(limit: number) {
    checkLimit('limit', limit);
    this.#state.limit = limit;
    this.#state.serve();
  }

  /** How many units are held now. */
  get held(): number {
    return this.#state.held;
  }

  /** How many callers wait now. */
  get waiting(): number {
    return this.#state.queue.size;
  }

  /**
   * Runs `task` while holding `weight` units; settles as the task does, its error untouched.
   *
   * Rejects, and never starts the task, with `signal.reason`, `WaitTimeoutError`, `QueueFullError` or `ClosedError`;
   * with `RangeError` when `weight` exceeds the limit. An abort after the start does not reach the task.
   */
  run<T>(task: () => Awaitable<T>, options?: WeightedWaitOptions): Promise<T> {
    const state = this.#state;
    try {
      checkFunction('task', task);
      const weight = checkedWeight(options?.weight);
      const settings = waitSettings(options);
      if (state.tryTake(weight)) return state.start(weight, task);
      return state.queueWithRoom.wait(settings, weight, task).then(SemaphorePermit.start);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for `weight` units; the permit works with `using`. Prefer `run`, which cannot forget the release. In hot
   * code `tryAcquire() ?? await acquire()` saves the promise.
   *
   * Rejects as `run` does; giving up loses only the place in the queue.
   */
  acquire(options?: WeightedWaitOptions): Promise<Permit> {
    const state = this.#state;
    try {
      const weight = checkedWeight(options?.weight);
      const settings = waitSettings(options);
      return Promise.resolve(
        state.tryTake(weight)
          ? new SemaphorePermit(state, weight)
          : state.queueWithRoom.wait(settings, weight),
      );
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * The permit if `weight` units are free and nobody waits, at once; else `undefined`.
   * @throws ClosedError, or RangeError when `weight` exceeds the limit.
   */
  tryAcquire(weight?: number): Permit | undefined {
    const units = checkedWeight(weight);
    return this.#state.tryTake(units) ? new SemaphorePermit(this.#state, units) : undefined;
  }

  /** Resolves when nothing is held and nobody waits: at once if that is so now. */
  idle(): Promise<void> {
    return this.#state.idle();
  }

  /** Refuses all who wait and all who come later with `ClosedError`; holders finish. Idempotent. */
  close(): void {
    this.#state.close();
  }

  stats(): SemaphoreStats {
    const { limit, held, waiting } = this;
    return { limit, held, waiting, closed: this.#state.closed };
  }
}

function checkedWeight(weight = 1): number {
  checkLimit('weight', weight);
  return weight;
}

/** The units themselves, apart from their public face so that a permit can reach them and a user cannot. */
class SemaphoreState extends Holder implements QueueOwner {
  readonly source: object;
  readonly weighs = true;
  limit: number;
  held = 0;
  closed = false;
  readonly queue = new WaitQueue<SemaphorePermit, number>(this);
  readonly #maxWaiting: number;
  readonly #idleCallbacks: (() => void)[] = [];

  constructor(source: object, limit: number, maxWaiting: number) {
    super();
    this.source = source;
    this.limit = limit;
    this.#maxWaiting = maxWaiting;
  }

  /** Sums beyond the safe integers would not come back to 0. */
  get #mostHeld(): number {
    return Math.min(this.limit, Number.MAX_SAFE_INTEGER);
  }

  /** Takes `weight` units for somebody new, unless others wait. */
  tryTake(weight: number): boolean {
    if (this.closed) throw new ClosedError('the semaphore');
    if (weight > this.#mostHeld) {
      throw new RangeError(`weight must be at most ${this.#mostHeld}, got ${weight}`);
    }
    return this.queue.size === 0 && this.#take(weight);
  }

  #take(weight: number): boolean {
    if (this.held + weight > this.#mostHeld) return false;
    this.held += weight;
    return true;
  }

  /** Where callers wait. @throws QueueFullError when there are too many already. */
  get queueWithRoom(): WaitQueue<SemaphorePermit, number> {
    if (this.queue.size >= this.#maxWaiting) throw new QueueFullError(this.describe(0));
    return this.queue;
  }

  /** What gives `weight` units back when a task ends. */
  holder(weight: number): Holder {
    return weight > 1 ? new WeightedHolder(this, weight) : this;
  }

  /** Runs a task that has `weight` units. Only an observer needs a permit for that. */
  start<T>(
    weight: number,
    task: (...nothing: never[]) => Awaitable<T>,
    permit?: SemaphorePermit,
  ): Promise<T> {
    return observer === undefined
      ? this.holder(weight).run(task)
      : this.#observe(task, permit ?? new SemaphorePermit(this, weight));
  }

  #observe<T>(task: (...nothing: never[]) => Awaitable<T>, permit: SemaphorePermit): Promise<T> {
    return runAndRelease(permit, () => task());
  }

  release(weight = 1): void {
    this.held -= weight;
    this.serve();
  }

  /** Grants the oldest waiters as long as they fit (S2, S3). */
  serve(): void {
    const { queue } = this;
    while (queue.head !== undefined && this.#take(queue.head.demand)) {
      queue.grant(new SemaphorePermit(this, queue.head.demand));
    }
    if (this.held + queue.size > 0) return;
    while (this.#idleCallbacks.length > 0) this.#idleCallbacks.shift()!();
  }

  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleCallbacks.push(resolve);
      this.serve();
    });
  }

  close(): void {
    this.closed = true;
    this.queue.refuseAll(() => new ClosedError('the semaphore'));
    this.serve();
  }

  describe(waitedMs: number): WaitDetails {
    return { waitedMs, held: this.held, waiting: this.queue.size, limit: this.limit };
  }

  onLeave(): void {
    this.serve();
  }
}

/** What a task of more than one unit holds. */
class WeightedHolder extends Holder {
  readonly #state: SemaphoreState;
  readonly #weight: number;

  constructor(state: SemaphoreState, weight: number) {
    super();
    this.#state = state;
    this.#weight = weight;
  }

  release(): void {
    this.#state.release(this.#weight);
  }
}

class SemaphorePermit implements Permit {
  #state: SemaphoreState | undefined;
  readonly #weight: number;

  constructor(state: SemaphoreState, weight: number) {
    this.#state = state;
    this.#weight = weight;
    observer?.granted(this, { source: state.source, weight, limit: state.limit });
  }

  static start<R>({ task, granted }: Turn<SemaphorePermit, R>): Promise<R> {
    return granted.#state!.start(granted.#weight, task, granted);
  }

  get released(): boolean {
    return this.#state === undefined;
  }

  release(): void {
    const state = this.#state;
    this.#state = undefined;
    observer?.released(this);
    state?.release(this.#weight);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
