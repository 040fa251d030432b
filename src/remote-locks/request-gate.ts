/**
 * RequestGate: how many requests an engine serves at once. Without it, ten thousand keys would queue in the pool of the
 * driver, and renewals behind them.
 */
import type { WaitDetails } from '../contract/errors.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { forEver } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';

export class RequestGate implements QueueOwner {
  readonly #queue = new WaitQueue<void>(this);
  readonly #limit: number;
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `undefined` if the request may start now; otherwise a promise of its turn, which rejects with the error of `fail`. */
  enter(): Promise<void> | undefined {
    if (this.#inside >= this.#limit) return this.#queue.wait(forEver);
    this.#inside++;
    return undefined;
  }

  leave(): void {
    if (this.#queue.size > 0) this.#queue.grant();
    else this.#inside--;
  }

  /** The database does not answer. All waiting requests fail now, instead of one per time to live. */
  fail(error: Error): void {
    this.#queue.refuseAll(() => error);
  }

  describe(waitedMs: number): WaitDetails {
    return { waitedMs, held: this.#inside, waiting: this.#queue.size, limit: this.#limit };
  }

  onLeave(): void {}
}
