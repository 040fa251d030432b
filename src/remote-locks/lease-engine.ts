/** LeaseEngine: what a database has to do for a lock across processes. Everything else is done by the lease keeper. */
import { checkFunction, checkLimit, checkObject } from '../contract/arguments.js';

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
  /** The engine calls it when it notices that its grant is lost. */
  readonly lost: (cause: unknown) => void;
  /** Whether to answer at once instead of waiting until the key is free. */
  readonly nowait?: boolean | undefined;
  /** The engine may call it with what the request waits for. The message of the caller's `WaitTimeoutError` has the text. */
  readonly hint?: ((text: string | undefined) => void) | undefined;
}

/** The answer of the database to a request. */
export type LeaseAnswer =
  /** Granted. The token is larger than the token of every earlier grant of the key. */
  | { readonly token: bigint }
  /** Held by another owner, whose grant ends in `freeInMs` milliseconds unless it is renewed; `Infinity` if that is unknown. */
  | { readonly freeInMs: number };

/** Who holds a key, as far as the database knows. */
export interface LeaseHolder {
  /** The owner of the grant as it stood in its request, or the name by which the database knows the holder. */
  readonly owner: string;
  /** For how long it has held the key, in milliseconds; `undefined` if that is unknown. */
  readonly heldMs: number | undefined;
  /** When the grant ends unless it is renewed; `Infinity` if it ends with its holder. */
  readonly leftMs: number;
}

/**
 * Every method may reject: then it is unknown which owner holds the key. `false` means that this owner does not hold it.
 * A method should end within the time to live; the keeper does not wait longer for it.
 */
export interface LeaseEngine {
  /** How many calls of `acquire` may be under way at once. Default: no bound. */
  readonly maxRequests?: number | undefined;
  acquire(request: LeaseRequest): Promise<LeaseAnswer>;
  /** Proves that this owner still holds the key, and prolongs the grant to `ttlMs` from now. Never takes a lost key back. */
  renew(key: string, owner: string, ttlMs: number): Promise<boolean>;
  /** Frees the key if this owner holds it or has a request for it under way. */
  release(key: string, owner: string): Promise<boolean>;
  /** Calls `wake` when the key may have become free, until the function it returns is called. Only a hint. */
  onFreed?(key: string, wake: () => void): () => void;
  /** Who holds the key; `undefined` when it is free. Without it, `holder` of the lock rejects. */
  holder?(key: string): Promise<LeaseHolder | undefined>;
}

/** @throws TypeError that names what the engine lacks. */
export function checkEngine(engine: LeaseEngine): void {
  checkObject('engine', engine);
  checkFunction('engine.acquire', engine.acquire);
  checkFunction('engine.renew', engine.renew);
  checkFunction('engine.release', engine.release);
  if (engine.onFreed !== undefined) checkFunction('engine.onFreed', engine.onFreed);
  if (engine.holder !== undefined) checkFunction('engine.holder', engine.holder);
  if (engine.maxRequests !== undefined) checkLimit('engine.maxRequests', engine.maxRequests);
}
