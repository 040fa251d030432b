/** LeaseEngine: what a database has to do for a lock across processes. Everything else is done by the lease keeper. */

/** A request for one key by one owner. */
export interface LeaseRequest {
  /** Text without NUL and without halves of surrogate pairs. */
  readonly key: string;
  /** Random and unique: a repetition with the same owner is the same request, and gets the same grant. */
  readonly owner: string;
  /** How long the grant lasts unless it is renewed, in whole milliseconds. */
  readonly ttlMs: number;
  /** Aborts when no caller waits for the answer any more. The keeper releases what is granted after that. */
  readonly signal: AbortSignal;
  /** To be called when the engine notices by itself that its grant is lost. */
  readonly lost: (cause: unknown) => void;
  /** Answer at once: do not wait until the key is free. */
  readonly nowait?: boolean | undefined;
  /** May be called with what the request is waiting for; the text stands in the caller's `WaitTimeoutError`. */
  readonly hint?: ((text: string | undefined) => void) | undefined;
}

/** What the database says to a request. */
export type LeaseAnswer =
  /** Granted. The token is larger than the token of every earlier grant of the key. */
  | { readonly token: bigint }
  /** Held by another owner, whose grant ends in so many milliseconds unless it is renewed; `Infinity` if that is unknown. */
  | { readonly freeInMs: number };

/**
 * Every method may reject, which says nothing about who holds the key. `false` is an answer: the key is not this owner's.
 * A method should end within the time to live; the keeper does not wait longer for it.
 */
export interface LeaseEngine {
  /** At most so many `acquire` calls are under way at once. Default: no bound. */
  readonly maxRequests?: number | undefined;
  acquire(request: LeaseRequest): Promise<LeaseAnswer>;
  /** Proves that the key is still this owner's, and prolongs it to `ttlMs` from now. Never makes it this owner's again. */
  renew(key: string, owner: string, ttlMs: number): Promise<boolean>;
  /** Frees the key if it is this owner's, and also if a request of this owner is still under way. */
  release(key: string, owner: string): Promise<boolean>;
  /** Calls `wake` when the key may have become free, until the function it returns is called. Only a hint. */
  onFreed?(key: string, wake: () => void): () => void;
}
