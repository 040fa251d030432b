/** What a database has to be able to do for a lock, and nothing more: the rest is the lease keeper's. */

export interface LeaseRequest {
  readonly key: string;
  /** Names this request for good: a repetition with the same owner is the same request, not another one. */
  readonly owner: string;
  readonly ttlMs: number;
  /** Aborts when nobody waits for the answer any more. What is granted all the same is released by the keeper. */
  readonly signal: AbortSignal;
  /** Told when the engine has noticed by itself that what it granted is lost. */
  readonly lost: (cause: unknown) => void;
}

export type LeaseAnswer =
  | { readonly token: bigint }
  /** Held by somebody else, who may free it at any time, and will have lost it after so long; Infinity: unknown. */
  | { readonly freeInMs: number };

/** Every method may fail, which says nothing of who holds the key. `false` is an answer: the key is not this owner's. */
export interface LeaseEngine {
  acquire(request: LeaseRequest): Promise<LeaseAnswer>;
  /** Proves that the key is still this owner's, and prolongs it. Must never make it this owner's again. */
  renew(key: string, owner: string, ttlMs: number): Promise<boolean>;
  release(key: string, owner: string): Promise<boolean>;
  /** Calls `wake` when the key may have become free. Only a hint: nothing goes wrong without it, only slower. */
  onFreed?(key: string, wake: () => void): () => void;
}
