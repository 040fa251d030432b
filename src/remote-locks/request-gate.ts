/**
 * RequestGate: how many requests an engine serves at once, and for how long it has answered none of them. Without it, ten
 * thousand keys would queue in the pool of the driver, and renewals behind them.
 */
import type { WaitDetails } from '../contract/errors.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { forEver } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { Moment } from './remote-lease.js';

export class RequestGate implements QueueOwner {
  readonly #queue = new WaitQueue<void>(this);
  readonly #limit: number;
  #inside = 0;
  #silent = new Moment();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `undefined` if the request may start now; otherwise a promise of its turn, which rejects with the error of `fail`. */
  enter(): Promise<void> | undefined {
    if (this.#inside >= this.#limit) return this.#queue.wait(forEver);
    if (this.#inside++ === 0) this.#silent = new Moment();
    return undefined;
  }

  /** A request was answered. */
  answered(): void {
    this.#silent = new Moment();
  }

  /** How long requests have been under way without an answer to any of them, in milliseconds. */
  get silentMs(): number {
    return this.#silent.agoMs;
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
