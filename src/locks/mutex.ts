/**
 * Mutex: one holder at a time.
 *
 * Invariants
 *   M1  At most one permit is out, or one task runs.
 *   M2  A caller waits only while the mutex is locked.
 *   M3  Waiters go first come, first served; a newcomer never overtakes one.
 *
 * Hand-over: `release()` passes the lock to the oldest waiter in the same turn; the mutex is never free in between.
 * Cancel: a caller that gives up loses its place in the queue and nothing else. After the grant an abort has no effect.
 * Cost: an uncontended `run` is one call and one derived promise; an idle mutex has no queue.
 * A task that is granted at once starts inside the call of `run`. Some 1,000 calls of `run` nested that way fill the stack.
 * Not re-entrant: a task that waits for the mutex it runs under waits for ever. Pass the work in, or take a
 *   `KeyedMutex` and another key. Not for several processes: see `latchkey/postgres` and `latchkey/redis`.
 */

import { Holder } from '../calling/run-and-release.js';
import { checkFunction, lostObject } from '../contract/arguments.js';
import { QueueFullError, type WaitDetails } from '../contract/errors.js';
import type { Awaitable, Limiter, LockOptions, LockStats, Permit, WaitOptions } from '../contract/types.js';
import { type ObservedGrant, watching } from '../runtime/observer.js';
import { abortError } from '../waiting/abort-listeners.js';
import { Ending } from '../waiting/ending.js';
import { type LockSettings, lockSettings } from '../waiting/lock-settings.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { type Grant, HeldPermit, type TaskHolder } from './held-permit.js';

/**
 * A lock for one holder at a time, in one process. Waiters are served in the order in which they came.
 *
 * @example
 * ```ts
 * import { Mutex } from 'latchkey';
 *
 * const mutex = new Mutex();
 * let balance = 1;
 * const deposit = () =>
 *   mutex.run(async () => {
 *     const read = balance;
 *     await undefined;
 *     balance = read + 1;
 *   });
 * await Promise.all([deposit(), deposit()]);
 * console.log(balance); // → 3
 * ```
 */
export class Mutex implements Limiter {
  readonly #state: MutexState;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options?: LockOptions) {
    this.#state = new MutexState(this, lockSettings(options));
  }

  static #stateOf(mutex: Mutex): MutexState {
    if (!(mutex instanceof Mutex)) throw lostObject('Mutex');
    return mutex.#state;
  }

  /** Whether it is held now. */
  get locked(): boolean {
    return this.#state.locked;
  }

  /** How many callers wait for it now. */
  get waiting(): number {
    return this.#state.waiting;
  }

  /**
   * Runs `task` while holding the mutex; settles as the task does, its error untouched.
   *
   * Rejects, and never starts the task, with `signal.reason`, `WaitTimeoutError`, `QueueFullError` or `ClosedError`. An
   * abort after the start does not reach the task; give the task the signal for that.
   */
  run<T>(task: () => Awaitable<T>, options?: WaitOptions): Promise<T> {
    try {
      const state = Mutex.#stateOf(this);
      checkFunction('task', task);
      const settings = waitSettings(options, state.settings.waits);
      if (state.tryLock())
        return watching.observer === undefined ? state.run(task) : HeldPermit.observe(state, task);
      return state.queueWithRoom.waitAndStart(settings, undefined, task, HeldPermit.start);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for the mutex; the permit works with `using`. A permit that is never released locks the mutex for ever:
   * prefer `run`. In hot code `tryAcquire() ?? await acquire()` saves the promise.
   *
   * Rejects as `run` does; a caller that gives up loses only its place in the queue.
   */
  acquire(options?: WaitOptions): Promise<Permit> {
    try {
      const state = Mutex.#stateOf(this);
      const settings = waitSettings(options, state.settings.waits);
      return state.tryLock()
        ? Promise.resolve(new HeldPermit(state))
        : HeldPermit.wait(state.queueWithRoom, settings, undefined);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * The permit if the mutex is free, at once; else `undefined`.
   * @throws ClosedError
   */
  tryAcquire(): Permit | undefined {
    const state = Mutex.#stateOf(this);
    return state.tryLock() ? new HeldPermit(state) : undefined;
  }

  /** Resolves when the mutex is not held and nobody waits: at once if that is so now. The options are those of a wait. */
  idle(options?: WaitOptions): Promise<void> {
    try {
      const state = Mutex.#stateOf(this);
      return state.ending.idle(!state.locked, options);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** Refuses all waiters and all later callers with a `ClosedError`; the holder finishes. Idempotent. */
  close(): void {
    const state = Mutex.#stateOf(this);
    state.queue.refuseAll(state.ending.close());
  }

  /** Rejects all waiters with `reason`, and stays open. Default: an `AbortError`, as a signal gives. */
  refuseWaiting(reason: unknown = abortError()): void {
    Mutex.#stateOf(this).queue.refuseAll(() => reason);
  }

  stats(): LockStats {
    const { locked, waiting, ending } = Mutex.#stateOf(this);
    return { held: Number(locked), waiting, closed: ending.closed };
  }
}

/** The lock itself, in an object of its own that permits can reach and users cannot. */
class MutexState extends Holder implements QueueOwner, TaskHolder {
  readonly source: Mutex;
  readonly settings: LockSettings;
  locked = false;
  #queue: WaitQueue<Grant> | undefined;
  #ending: Ending | undefined;

  constructor(source: Mutex, settings: LockSettings) {
    super();
    this.source = source;
    this.settings = settings;
  }

  get waiting(): number {
    return this.#queue?.size ?? 0;
  }

  get queue(): WaitQueue<Grant> {
    this.#queue ??= new WaitQueue(this);
    return this.#queue;
  }

  /** Where a caller waits. @throws QueueFullError when there are too many waiters already. */
  get queueWithRoom(): WaitQueue<Grant> {
    if (this.waiting >= this.settings.maxWaiting) throw new QueueFullError(this.describe(0));
    return this.queue;
  }

  get ending(): Ending {
    this.#ending ??= new Ending('the mutex', this);
    return this.#ending;
  }

  /** @throws ClosedError */
  tryLock(): boolean {
    this.#ending?.checkOpen();
    if (this.locked) return false;
    this.locked = true;
    return true;
  }

  release(): void {
    const next = this.#queue?.head;
    if (next !== undefined) {
      HeldPermit.grant(next, this);
      return;
    }
    this.locked = false;
    this.#ending?.onFree();
  }

  get standsFor(): ObservedGrant {
    return { source: this.source, weight: 1, limit: 1 };
  }

  describe(waitedMs: number): WaitDetails {
    return { waitedMs, held: Number(this.locked), waiting: this.waiting, limit: 1 };
  }

  onLeave(): void {}
}
