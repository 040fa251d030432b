/**
 * Mutex: one holder at a time.
 *
 * Invariants
 *   M1  At most one permit is out, or one task runs.
 *   M2  Somebody waits only while the mutex is locked.
 *   M3  Waiters go first come, first served; a newcomer never overtakes one.
 *
 * Hand-over: `release()` passes the lock to the oldest waiter in the same turn; the mutex is never free in between.
 * Cancel: giving up loses the caller's place in the queue and nothing else. Once granted, an abort has no effect.
 * Cost: uncontended `run` is one call and one derived promise; an idle mutex has no queue.
 * Not re-entrant: a task that waits for the mutex it runs under waits for ever. Pass the work in, or take a
 *   `KeyedMutex` and another key. Not for several processes: see `latchkey/postgres` and `latchkey/redis`.
 */

import { Holder, runAndRelease } from '../calling/run-and-release.js';
import { checkFunction } from '../contract/arguments.js';
import type { WaitDetails } from '../contract/errors.js';
import type { Awaitable, Limiter, Permit, WaitOptions } from '../contract/types.js';
import { observer } from '../runtime/observer.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner, Turn } from '../waiting/waiter.js';

export class Mutex implements Limiter {
  readonly #state = new MutexState(this);

  /** Whether somebody holds it now. */
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
   * Rejects with `signal.reason` or `WaitTimeoutError` when the caller gave up before his turn: the task then
   * never starts. An abort after the start does not reach the task; give the task the signal for that.
   */
  run<T>(task: () => Awaitable<T>, options?: WaitOptions): Promise<T> {
    const state = this.#state;
    try {
      checkFunction('task', task);
      const settings = waitSettings(options);
      if (state.tryLock()) return state.start(task);
      return state.queue.wait(settings, undefined, task).then(MutexPermit.start);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for the mutex; the permit works with `using`. A permit that is never released locks the mutex for ever:
   * prefer `run`. In hot code `tryAcquire() ?? await acquire()` saves the promise.
   *
   * Rejects with `signal.reason` or `WaitTimeoutError`; giving up loses only the place in the queue.
   */
  acquire(options?: WaitOptions): Promise<Permit> {
    try {
      const settings = waitSettings(options);
      return this.#state.tryLock()
        ? Promise.resolve(new MutexPermit(this.#state))
        : this.#state.queue.wait(settings);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** The permit if the mutex is free, at once; else `undefined`. */
  tryAcquire(): Permit | undefined {
    return this.#state.tryLock() ? new MutexPermit(this.#state) : undefined;
  }
}

/** The lock itself, apart from its public face so that a permit can reach it and a user cannot. */
class MutexState extends Holder implements QueueOwner {
  readonly source: Mutex;
  locked = false;
  #queue: WaitQueue<MutexPermit> | undefined;

  constructor(source: Mutex) {
    super();
    this.source = source;
  }

  get waiting(): number {
    return this.#queue?.size ?? 0;
  }

  tryLock(): boolean {
    if (this.locked) return false;
    this.locked = true;
    return true;
  }

  get queue(): WaitQueue<MutexPermit> {
    this.#queue ??= new WaitQueue(this);
    return this.#queue;
  }

  release(): void {
    if (this.waiting > 0) this.#queue?.grant(new MutexPermit(this));
    else this.locked = false;
  }

  /** Runs a task that has the lock. Only an observer needs a permit for that. */
  start<T>(task: (...nothing: never[]) => Awaitable<T>, permit?: MutexPermit): Promise<T> {
    return observer === undefined ? this.run(task) : this.#observe(task, permit ?? new MutexPermit(this));
  }

  #observe<T>(task: (...nothing: never[]) => Awaitable<T>, permit: MutexPermit): Promise<T> {
    return runAndRelease(permit, () => task());
  }

  describe(waitedMs: number): WaitDetails {
    return { waitedMs, held: 1, waiting: this.waiting, limit: 1 };
  }

  onLeave(): void {}
}

class MutexPermit implements Permit {
  #state: MutexState | undefined;

  constructor(state: MutexState) {
    this.#state = state;
    observer?.granted(this, { source: state.source, weight: 1, limit: 1 });
  }

  static start<R>({ task, granted }: Turn<MutexPermit, R>): Promise<R> {
    return granted.#state!.start(task, granted);
  }

  get released(): boolean {
    return this.#state === undefined;
  }

  release(): void {
    const state = this.#state;
    this.#state = undefined;
    observer?.released(this);
    state?.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
