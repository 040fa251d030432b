/**
 * Work that a signal or a timeout can end: an attempt of `retry`, or its question whether to retry.
 *
 * The time begins two microtasks after the work has returned its promise. So work that has settled by then sets no timer: a lone
 * timer costs more than everything else that `retry` does.
 */
import { type Abortable, onAbort } from '../waiting/abort-listeners.js';
import { type Expirable, onDeadline } from '../waiting/deadlines.js';
import type { Link } from '../waiting/linked-list.js';
import type { Place } from '../waiting/place-queue.js';

/** What ends the work from outside. */
export interface Ends {
  aborted?(reason: unknown): void;
  /** Returns the error to reject with. */
  expired(): unknown;
}

/** For the next microtask: `queueMicrotask` of Node makes an async resource for each call. */
const settled = /* @__PURE__ */ Promise.resolve();

/** Settles as `work` does, unless an abort or the timeout comes first: then the work is not waited for. */
export function bounded<V>(
  work: () => Promise<V>,
  signal: AbortSignal | undefined,
  timeoutMs: number,
  ends: Ends,
): Promise<V> {
  return new Promise<V>((resolve, reject) => {
    const bounds = new Bounds(signal, timeoutMs, ends, reject);
    // A stack is found by following promises (R6), so the work settles this one directly, and has no other reaction.
    work().then(resolve, reject).then(bounds.leave);
    if (timeoutMs !== Infinity) settled.then().then(bounds.beginDeadline);
  });
}

/** The signal and the timeout. The first of them that ends the work takes the other one away. */
class Bounds implements Abortable, Expirable {
  readonly #ends: Ends;
  readonly #reject: (reason: unknown) => void;
  readonly #timeoutMs: number;
  readonly #subscription: Link<Abortable> | undefined;
  #deadline: Place<Expirable> | undefined;
  #isOver = false;

  constructor(
    signal: AbortSignal | undefined,
    timeoutMs: number,
    ends: Ends,
    reject: (reason: unknown) => void,
  ) {
    this.#ends = ends;
    this.#reject = reject;
    this.#timeoutMs = timeoutMs;
    this.#subscription = signal && onAbort(signal, this);
  }

  readonly beginDeadline = (): void => {
    if (!this.#isOver) this.#deadline = onDeadline(this.#timeoutMs, this);
  };

  readonly leave = (): void => {
    this.#isOver = true;
    this.#subscription?.leave();
    this.#deadline?.leave();
  };

  onAbort(reason: unknown): void {
    this.leave();
    this.#reject(reason);
    this.#ends.aborted?.(reason);
  }

  onExpire(): void {
    this.leave();
    this.#reject(this.#ends.expired());
  }
}
