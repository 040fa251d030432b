/**
 * Errors with the stack of the waiting caller, without a stack taken at every wait.
 *
 * A timer that ends a wait knows nothing of the caller. A stack taken when the wait begins costs several microseconds and a
 * kilobyte, even where nothing goes wrong. But an error made in the reaction to a promise gets the stack of the functions
 * that await that promise, at no extra cost. So a wait is rejected with a DeferredError, and its last reaction makes the
 * error.
 */
export class DeferredError {
  readonly make: () => unknown;

  constructor(make: () => unknown) {
    this.make = make;
  }
}

/** The error itself, made here if it was deferred. */
export function reveal(reason: unknown): unknown {
  return reason instanceof DeferredError ? reason.make() : reason;
}

/** The last reaction of a wait. */
export function throwRevealed(reason: unknown): never {
  throw reveal(reason);
}

interface StackTracing {
  captureStackTrace?(target: Error): void;
}

/** Gives an error that was made earlier the stack of the current call. */
export function withStackFromHere<E extends Error>(error: E): E {
  (Error as StackTracing).captureStackTrace?.(error);
  return error;
}
