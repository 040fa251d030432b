/**
 * Ending: how a lock ends. Mutex, KeyedMutex and Semaphore have one as soon as somebody calls `close()` or `idle()`.
 *
 * Invariants
 *   EN1  After `close()` nobody waits, and every later caller is refused with a ClosedError.
 *   EN2  `idle()` resolves in the turn in which nothing is held and nobody waits any more, also after `close()`.
 *   EN3  The caller of `idle()` may give up, as every waiter may.
 *
 * Cost: a lock that nobody closes checks one field per grant. `idle()` is O(1) for each of its callers. `close()` makes an
 *   error for each waiter, without a stack: it would be that of the closer.
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

  /** Closes; the error of each waiter is made by what it returns. */
  close(): () => ClosedError {
    this.closed = true;
    return () => withoutStack(() => new ClosedError(this.#what));
  }

  /** Resolves at once, or with the next `onFree`. */
  idle(isFree: boolean, options: WaitOptions | undefined): Promise<void> {
    const settings = waitSettings(options);
    return isFree ? Promise.resolve() : this.#idleCallers.wait(settings);
  }

  /** Nothing is held, and nobody waits. */
  onFree(): void {
    while (this.#idleCallers.size > 0) this.#idleCallers.grant();
  }
}
