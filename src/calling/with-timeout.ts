/**
 * Follows a promise for a limited time.
 *
 * Invariants
 *   WT1  Exactly one of `value`, `error` and `timeout` is called, once, unless the caller stops it first.
 *   WT2  A rejection is never unhandled, however late it comes.
 *   WT3  Nothing is left behind: the deadline ends with the promise.
 */
import { AttemptTimeoutError } from '../contract/errors.js';
import type { Awaitable } from '../contract/types.js';
import { onDeadline } from '../waiting/deadlines.js';

/** Callbacks for a promise with a timeout. */
export interface Outcomes<T> {
  value(value: T): void;
  error(error: unknown): void;
  timeout(): void;
  /** The promise was fulfilled after the timeout. */
  lateValue?(value: T): void;
}

/**
 * Starts the work and follows its promise for `timeoutMs` milliseconds. The time begins before the work does.
 * Returns a function that stops it: no callback is called after that.
 */
export function withTimeout<T>(
  start: () => Promise<T>,
  timeoutMs: number,
  outcomes: Outcomes<T>,
): () => void {
  let pending = true;
  let stopped = false;
  const settle = (): boolean => {
    const first = pending;
    pending = false;
    deadline?.leave();
    return first;
  };
  const onExpire = () => {
    if (settle()) outcomes.timeout();
  };
  const deadline = timeoutMs === Infinity ? undefined : onDeadline(timeoutMs, { onExpire });
  start().then(
    (value) => {
      if (settle()) outcomes.value(value);
      else if (!stopped) outcomes.lateValue?.(value);
    },
    (error) => {
      if (settle()) outcomes.error(error);
    },
  );
  return () => {
    stopped = true;
    settle();
  };
}

/**
 * Settles as the call does, or rejects with an `AttemptTimeoutError` after `timeoutMs`, so that a silent server blocks no caller.
 * The function may also throw, or answer without a promise.
 */
export function answerWithin<T>(timeoutMs: number, call: () => Awaitable<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    // Before the deadline: a call that throws must not leave one.
    const answer = Promise.resolve(call());
    withTimeout(() => answer, timeoutMs, {
      value: resolve,
      error: reject,
      timeout: () => reject(new AttemptTimeoutError(1, timeoutMs)),
    });
  });
}

/** The reason that a hook's signal aborts with, and that its caller sees, when the hook took too long. */
export function timeoutReason(what: string, timeoutMs: number): DOMException {
  return new DOMException(`${what} took longer than ${timeoutMs} ms`, 'TimeoutError');
}
