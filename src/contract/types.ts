/// <reference lib="esnext.disposable" preserve="true" />

/** A value, or a promise of it. */
export type Awaitable<T> = T | PromiseLike<T>;

/** How long a caller is willing to wait. */
export interface WaitOptions {
  /** The caller gives up when it aborts: the wait rejects with `signal.reason` itself. It has no effect after the grant. */
  signal?: AbortSignal | undefined;
  /** The caller gives up after this many milliseconds, with a `WaitTimeoutError`. `Infinity` waits for ever. */
  waitTimeoutMs?: number | undefined;
}

/** How a caller waits for a semaphore. */
export interface PartitionedWaitOptions extends WaitOptions {
  /** The caller's partition, such as a tenant, if the semaphore has the order `fairShare`. Any value; ignored otherwise. */
  partition?: unknown;
}

/** The options that every lock and semaphore of one process has. */
export interface LockOptions {
  /** The `waitTimeoutMs` of every wait that does not set its own, in milliseconds. Default: `Infinity`. */
  waitTimeoutMs?: number | undefined;
  /** How many callers may wait; the next caller is refused with a `QueueFullError` at once. Default: no bound. */
  maxWaiting?: number | undefined;
}

/** The counts of a lock. */
export interface LockStats {
  /** Permits, leases or units that are held now. */
  held: number;
  /** Callers that wait now. */
  waiting: number;
  /** Whether `close()` was called. */
  closed: boolean;
}

/** The right to go on, held until `release()`. Works with `using`. */
export interface Permit extends Disposable {
  readonly released: boolean;
  /** Gives the permit to the oldest waiter, in the same turn. Idempotent: a second call changes nothing. */
  release(): void;
}

/** Anything that decides when a task may run: what `gatherSettled` and the recipes build on. */
export interface Limiter {
  run<T>(task: () => Awaitable<T>, options?: WaitOptions): Promise<T>;
}

/** A lock per key, in one process (`KeyedMutex`) or across many: only the constructor differs. */
export interface KeyedLock<K> {
  run<T>(key: K, task: (lease: KeyLease<K>) => Awaitable<T>, options?: WaitOptions): Promise<T>;
  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K>>;
}

/** One grant of one key. Works with `await using`. */
export interface KeyLease<K> extends AsyncDisposable {
  readonly key: K;
  /** Fencing token: larger than the token of every earlier grant of this key. */
  readonly token: bigint;
  /** Aborts with a `LeaseLostError` when the lock is lost. In one process that never happens. */
  readonly signal: AbortSignal;
  /** Gives the key up. Idempotent; never throws. */
  release(): Awaitable<void>;
}
