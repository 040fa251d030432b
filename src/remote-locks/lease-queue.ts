import { AttemptTimeoutError, QueueFullError, type WaitDetails } from '../contract/errors.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import type { WaitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import type { RemoteLease } from './remote-lease.js';
import { WakeUp } from './wake-up.js';

/** The callers of this process that wait for a key or hold it. */
export class LeaseQueue<K> implements QueueOwner {
  readonly source: object;
  readonly name: string;
  readonly key: K;
  /** A request for the key is under way. */
  isPursued = false;
  held = 0;
  /** What the request waits for, if the engine says so. */
  hint: string | undefined;
  /** Set when the key may be free, and when the last waiter leaves. */
  readonly wakeUp = new WakeUp();
  readonly #limit: number;
  readonly #queue = new WaitQueue<RemoteLease<K>>(this);
  #controller = new AbortController();
  #hasFailed = false;

  constructor(source: object, name: string, key: K, limit: number) {
    this.source = source;
    this.name = name;
    this.key = key;
    this.#limit = limit;
  }

  get wantsMore(): boolean {
    return this.#queue.size > 0 && this.held < this.#limit;
  }

  /** Whether nothing is held, waited for or under way, so that a caller may ask without overtaking another one. */
  get isOpen(): boolean {
    return this.#queue.size === 0 && this.held < this.#limit && !this.isPursued;
  }

  get isIdle(): boolean {
    return this.#queue.size === 0 && this.held === 0 && !this.isPursued;
  }

  get isAbandoned(): boolean {
    return this.#queue.size === 0;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** @throws QueueFullError when `maxWaiting` callers wait, besides the one for which the database is asked. */
  checkRoom(maxWaiting: number): void {
    const isAsking = this.held < this.#limit;
    if (this.waiting >= maxWaiting + Number(isAsking)) throw new QueueFullError(this.describe(0));
  }

  wait(settings: WaitSettings): Promise<RemoteLease<K>> {
    return this.#queue.wait(settings);
  }

  /** A new attempt: its signal aborts when the last waiter leaves. */
  begin(): AbortSignal {
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  /** The database has answered. */
  answered(): void {
    this.#hasFailed = false;
  }

  /** The database does not answer: a failure of the request is one of every waiter. */
  unanswered(): void {
    this.#hasFailed = true;
  }

  grant(lease: RemoteLease<K>): void {
    this.#queue.grant(lease);
  }

  /**
   * A first failure is reported to the head only: the next caller may succeed. A second one in a row, or one after `unanswered`,
   * is an outage, and every waiter learns of it now.
   */
  fail(error: Error): void {
    if (this.#hasFailed) {
      const isTimeout = error instanceof AttemptTimeoutError;
      this.#queue.refuseAll(() =>
        isTimeout ? new AttemptTimeoutError(error.attempt, error.timeoutMs) : error,
      );
    } else {
      this.#hasFailed = true;
      this.#queue.head?.refuse(() => error);
    }
  }

  /** Ends every wait; `makeError` is called for each of them. */
  refuseAll(makeError: () => unknown): void {
    this.#queue.refuseAll(makeError);
    this.onLeave();
  }

  describe(waitedMs: number): WaitDetails {
    const { held, hint } = this;
    return { key: this.key, waitedMs, held, waiting: this.#queue.size, limit: this.#limit, hint };
  }

  onLeave(): void {
    if (!this.isAbandoned) return;
    this.#controller.abort();
    this.wakeUp.set();
  }
}
