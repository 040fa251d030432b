/**
 * Semaphore: at most `limit` units of work at a time; a caller may ask for more than one unit.
 *
 * Invariants
 *   S1  The sum of the weights held is `held`; it exceeds `limit` only after `limit` was lowered.
 *   S2  While a caller waits, the oldest waiter's weight does not fit into what is free.
 *   S3  Waiters go first come, first served whatever their weight: light ones never starve a heavy one. With an `order`, the
 *       next waiter is the one that the order names, and S2 holds for it.
 *   S4  After `close()` no caller waits and none is granted.
 *   S5  A weight above the limit is refused, at once or when the limit is lowered below it, so that it blocks nobody.
 *   S6  A limit of 0 is a pause: no caller is granted, and none is refused because of its weight.
 *
 * Hand-over: whatever frees units (a release, a raised limit, a heavy waiter that left) grants, in the same turn, as
 *   many of the oldest waiters as now fit.
 * Cancel: a caller that gives up loses its place in the queue and nothing else. After the grant an abort has no effect.
 * Cost: an uncontended `run` is one call and one derived promise. Lowering the limit below the weight of a waiter looks at
 *   every waiter. A task that is granted at once starts inside the call of `run`; some 1,000 nested calls fill the stack.
 * Not here: rates per second, priorities. Lineage: golang.org/x/sync/semaphore, whose argument for strict order is
 *   the reader-writer lock: a writer takes all N units and must not wait for a gap between readers.
 */

import { Holder } from '../calling/run-and-release.js';
import {
  checkCount,
  checkFunction,
  checkLimit,
  lostObject,
  type OptionNames,
} from '../contract/arguments.js';
import { QueueFullError, type WaitDetails, withoutStack } from '../contract/errors.js';
import type {
  Awaitable,
  Limiter,
  LockOptions,
  LockStats,
  PartitionedWaitOptions,
  Permit,
  WaitOptions,
} from '../contract/types.js';
import { type ObservedGrant, watching } from '../runtime/observer.js';
import { abortError } from '../waiting/abort-listeners.js';
import { Ending } from '../waiting/ending.js';
import { type LockSettings, lockOptionNames, lockSettings } from '../waiting/lock-settings.js';
import { checkOrder, type WaitOrder } from '../waiting/wait-order.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { type Grant, HeldPermit, type TaskHolder } from './held-permit.js';

export interface SemaphoreOptions extends LockOptions {
  /** The order in which waiters are served; see `latchkey/overload`. Default: first come, first served. */
  order?: WaitOrder | undefined;
}

const optionNames: OptionNames<SemaphoreOptions> = { ...lockOptionNames, order: true };

export interface WeightedWaitOptions extends PartitionedWaitOptions {
  /** How many units to take. Default 1. */
  weight?: number | undefined;
}

export interface SemaphoreStats extends LockStats {
  /** How many units may be held. */
  limit: number;
}

/**
 * At most `limit` units of work at a time, in one process. Waiters are served in the order in which they came.
 *
 * @example
 * ```ts
 * import { Semaphore } from 'latchkey';
 *
 * const uploads = new Semaphore(2);
 * let most = 0;
 * const upload = async () => {
 *   most = Math.max(most, uploads.held);
 * };
 * await Promise.all([1, 2, 3, 4].map(() => uploads.run(upload)));
 * console.log(most, uploads.held); // → 2 0
 * ```
 */
export class Semaphore implements Limiter {
  readonly #state: SemaphoreState;

  /**
   * `limit` is a whole number, 0 to begin paused, or Infinity.
   * @throws TypeError or RangeError that names the option and the value.
   */
  constructor(limit: number, options?: SemaphoreOptions);
  /** @internal `source` is the object that users see, if it is not the semaphore itself. */
  constructor(limit: number, options: SemaphoreOptions | undefined, source: object);
  constructor(limit: number, options?: SemaphoreOptions, source: object = this) {
    checkCount('limit', limit);
    const settings = lockSettings(options, optionNames);
    const order = options?.order;
    checkOrder(order);
    this.#state = new SemaphoreState(source, limit, settings, order);
  }

  static #stateOf(semaphore: Semaphore): SemaphoreState {
    if (!(semaphore instanceof Semaphore)) throw lostObject('Semaphore');
    return semaphore.#state;
  }

  /**
   * How many units may be held. May be set at any time. Lowering it never interrupts a holder; a waiter whose weight no
   * longer fits is refused with a `RangeError`. 0 pauses: all callers wait until the limit is raised.
   */
  get limit(): number {
    return this.#state.limit;
  }

  set limit(limit: number) {
    checkCount('limit', limit);
    this.#state.setLimit(limit);
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
    try {
      const state = Semaphore.#stateOf(this);
      checkFunction('task', task);
      const weight = checkedWeight(options?.weight);
      const settings = waitSettings(options, state.settings.waits);
      if (state.tryTake(weight)) {
        const holder = state.holder(weight);
        return watching.observer === undefined ? holder.run(task) : HeldPermit.observe(holder, task);
      }
      return state.queueFor(weight).waitAndStart(settings, weight, task, HeldPermit.start);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for `weight` units; the permit works with `using`. Prefer `run`, which cannot forget the release. In hot
   * code `tryAcquire() ?? await acquire()` saves the promise.
   *
   * Rejects as `run` does; a caller that gives up loses only its place in the queue.
   */
  acquire(options?: WeightedWaitOptions): Promise<Permit> {
    try {
      const state = Semaphore.#stateOf(this);
      const weight = checkedWeight(options?.weight);
      const settings = waitSettings(options, state.settings.waits);
      return state.tryTake(weight)
        ? Promise.resolve(state.permit(weight))
        : HeldPermit.wait(state.queueFor(weight), settings, weight);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * The permit if `weight` units are free and nobody waits, at once; else `undefined`.
   * @throws ClosedError, or RangeError when `weight` exceeds the limit.
   */
  tryAcquire(weight?: number): Permit | undefined {
    const state = Semaphore.#stateOf(this);
    const units = checkedWeight(weight);
    return state.tryTake(units) ? state.permit(units) : undefined;
  }

  /** Resolves when nothing is held and nobody waits: at once if that is so now. The options are those of a wait. */
  idle(options?: WaitOptions): Promise<void> {
    try {
      const state = Semaphore.#stateOf(this);
      return state.ending.idle(state.isFree, options);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** Refuses all waiters and all later callers with a `ClosedError`; holders finish. Idempotent. */
  close(): void {
    const state = Semaphore.#stateOf(this);
    state.refuse(state.ending.close());
  }

  /** Rejects all waiters with `reason`, and stays open. Default: an `AbortError`, as a signal gives. */
  refuseWaiting(reason: unknown = abortError()): void {
    Semaphore.#stateOf(this).refuse(() => reason);
  }

  stats(): SemaphoreStats {
    const { limit, held, queue, ending } = Semaphore.#stateOf(this);
    return { limit, held, waiting: queue.size, closed: ending.closed };
  }
}

function checkedWeight(weight: number | undefined): number {
  if (weight === undefined) return 1;
  checkLimit('weight', weight);
  return weight;
}

function tooHeavy(weight: number, most: number): RangeError {
  return new RangeError(`weight must be at most ${most}, got ${weight}`);
}

/** The units themselves, in an object of their own that permits can reach and users cannot. */
class SemaphoreState extends Holder implements QueueOwner, TaskHolder {
  readonly source: object;
  readonly settings: LockSettings;
  readonly weighs = true;
  readonly overtakes: boolean;
  limit: number;
  held = 0;
  readonly queue: WaitQueue<Grant, number>;
  /** No waiter is heavier. */
  #heaviest = 0;
  #ending: Ending | undefined;

  constructor(source: object, limit: number, settings: LockSettings, order: WaitOrder | undefined) {
    super();
    this.source = source;
    this.limit = limit;
    this.settings = settings;
    this.overtakes = order !== undefined;
    this.queue = order?.queue(this) ?? new WaitQueue(this);
  }

  get ending(): Ending {
    this.#ending ??= new Ending('the semaphore', this);
    return this.#ending;
  }

  get isFree(): boolean {
    return this.held + this.queue.size === 0;
  }

  /** Above the safe integers, a sum would not come back to 0 exactly. */
  get #mostHeld(): number {
    return Math.min(this.limit, Number.MAX_SAFE_INTEGER);
  }

  /** Takes `weight` units for a newcomer, unless others wait. @throws ClosedError, RangeError */
  tryTake(weight: number): boolean {
    this.#ending?.checkOpen();
    if (weight > this.#mostHeld && this.limit > 0) throw tooHeavy(weight, this.#mostHeld);
    return this.queue.size === 0 && this.#take(weight);
  }

  #take(weight: number): boolean {
    if (this.held + weight > this.#mostHeld) return false;
    this.held += weight;
    return true;
  }

  /** Where a caller of that weight waits. @throws QueueFullError when there are too many waiters already. */
  queueFor(weight: number): WaitQueue<Grant, number> {
    if (this.queue.size >= this.settings.maxWaiting) throw new QueueFullError(this.describe(0));
    if (weight > this.#heaviest) this.#heaviest = weight;
    return this.queue;
  }

  /** Gives `weight` units back. */
  holder(weight: number): TaskHolder {
    return weight > 1 ? new WeightedHolder(this, weight) : this;
  }

  permit(weight: number): HeldPermit<TaskHolder> {
    return new HeldPermit(this.holder(weight));
  }

  release(weight = 1): void {
    this.held -= weight;
    if (this.queue.size > 0) this.serve();
    else if (this.held === 0) this.#ending?.onFree();
  }

  /** Grants the oldest waiters as long as they fit (S2, S3). */
  serve(): void {
    const { queue } = this;
    for (let { first } = queue; first !== undefined && this.#take(first.demand); first = queue.first) {
      HeldPermit.grant(first, this.holder(first.demand));
    }
    if (this.isFree) this.#ending?.onFree();
  }

  setLimit(limit: number): void {
    this.limit = limit;
    if (limit > 0 && this.#heaviest > this.#mostHeld) this.#refuseHeavy();
    this.serve();
  }

  /** The rule for newcomers holds for waiters too (S5). */
  #refuseHeavy(): void {
    const most = this.#mostHeld;
    this.#heaviest = most;
    for (const waiter of this.queue.items()) {
      if (waiter.demand > most) waiter.refuse(() => withoutStack(() => tooHeavy(waiter.demand, most)));
    }
  }

  refuse(makeError: () => unknown): void {
    this.queue.refuseAll(makeError);
    this.serve();
  }

  get standsFor(): ObservedGrant {
    return this.grantOf(1);
  }

  grantOf(weight: number): ObservedGrant {
    return { source: this.source, weight, limit: this.limit };
  }

  describe(waitedMs: number): WaitDetails {
    return { waitedMs, held: this.held, waiting: this.queue.size, limit: this.limit };
  }

  onLeave(): void {
    this.serve();
  }

  serveNext(): void {
    // The line is not asked in vain: with the first question the turn of a partition begins.
    if (this.held < this.#mostHeld) this.serve();
  }
}

/** Holds more than one unit. */
class WeightedHolder extends Holder implements TaskHolder {
  readonly #state: SemaphoreState;
  readonly #weight: number;

  constructor(state: SemaphoreState, weight: number) {
    super();
    this.#state = state;
    this.#weight = weight;
  }

  get standsFor(): ObservedGrant {
    return this.#state.grantOf(this.#weight);
  }

  release(): void {
    this.#state.release(this.#weight);
  }
}
