import { setTimer } from '../clock.js';

/** What may come of a promise that is followed for so long and no longer: one of the first three, once. */
export interface Outcomes<T> {
  value(value: T): void;
  error(error: unknown): void;
  timeout(): void;
  /** It was fulfilled after all, but after the timeout. */
  lateValue?(value: T): void;
}

/**
 * Follows `promise` for `timeoutMs`, or until the function it returns is called: then nothing more comes of it.
 * A rejection never goes unhandled, however late it comes.
 */
export function follow<T>(promise: Promise<T>, timeoutMs: number, outcomes: Outcomes<T>): () => void {
  let pending = true;
  let wanted = true;
  const settle = (): boolean => {
    const first = pending;
    pending = false;
    timer?.cancel();
    return first;
  };
  const timer =
    timeoutMs === Infinity
      ? undefined
      : setTimer(() => {
          if (settle()) outcomes.timeout();
        }, timeoutMs);
  promise.then(
    (value) => {
      if (settle()) outcomes.value(value);
      else if (wanted) outcomes.lateValue?.(value);
    },
    (error) => {
      if (settle()) outcomes.error(error);
    },
  );
  return () => {
    wanted = false;
    settle();
  };
}

/** What a hook's signal aborts with, and what its caller is told, when it took too long. */
export function timeoutReason(what: string, timeoutMs: number): DOMException {
  return new DOMException(`${what} took longer than ${timeoutMs} ms`, 'TimeoutError');
}
