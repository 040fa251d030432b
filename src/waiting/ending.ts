/**
 * Ending: how a lock ends. Mutex, KeyedMutex and Semaphore have one after the first call of `close()` or `idle()`.
 *
 * Invariants
 *   EN1  After `close()` nobody waits, and every later caller is refused with a ClosedError.
 *   EN2  `idle()` resolves in the turn in which the last holder has released and no caller waits, also after `close()`.
 *   EN3  The caller of `idle()` may give up, as every waiter may.
 *
 * Cost: a lock that is not closed checks one field per grant. `idle()` is O(1) for each of its callers. `close()` makes an
 *   error for each waiter, without a stack, because it would be the stack of the caller of `close()`.
 */
import { ClosedError, withoutStack } from '../contract/errors.js';
import type { WaitOptions } from '../contract/types.js';
import { WaitQueue } from './wait-queue.js';
import { waitSettings } from './wait-settings.js';
import type { QueueOwner } from './waiter.js';

export class Ending {
  closed = false;
  readonly #what: string;
  readonly #idleCallers: WaitQueue<void>;

  /** `what` is the lock, as a message calls it. */
  constructor(what: string, lock: QueueOwner) {
    this.#what = what;
    this.#idleCallers = new WaitQueue({ describe: (waitedMs) => lock.describe(waitedMs), onLeave() {} });
  }

  /** @throws ClosedError after `close()`. */
  checkOpen(): void {
    if (this.closed) throw new ClosedError(this.#what);
  }

  /** Closes. Returns the function that makes the error of each waiter. */
  close(): () => ClosedError {
    this.closed = true;
    return () => withoutStack(() => new ClosedError(this.#what));
  }

  /** Resolves at once, or with the next `onFree`. */
  idle(isFree: boolean, options: WaitOptions | undefined): Promise<void> {
    const settings = waitSettings(options);
    return isFree ? Promise.resolve() : this.#idleCallers.wait(settings);
  }

  /** Called when nothing is held and no caller waits. */
  onFree(): void {
    while (this.#idleCallers.size > 0) this.#idleCallers.grant();
  }
}
