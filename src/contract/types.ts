/** A value, or a promise of it. */
export type Awaitable<T> = T | PromiseLike<T>;

/** How long a caller is willing to wait for his turn. */
export interface WaitOptions {
  /** Gives up waiting when it aborts; the wait rejects with `signal.reason` itself. Has no effect once granted. */
  signal?: AbortSignal | undefined;
  /** Gives up waiting after this many milliseconds with a `WaitTimeoutError`; `Infinity` waits for ever. */
  waitTimeoutMs?: number | undefined;
}

/** The right to go on, held until `release()`. Works with `using`. */
export interface Permit extends Disposable {
  readonly released: boolean;
  /** Gives the permit to the oldest waiter, in this very turn. Idempotent: a second call changes nothing. */
  release(): void;
}

/** Anything that decides when a task may run: the one shape that `gatherSettled` and the recipes build on. */
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
  /** Aborts with `LeaseLostError` when the lock is lost. In one process that never happens. */
  readonly signal: AbortSignal;
  /** Gives the key up. Idempotent; never throws. */
  release(): Awaitable<void>;
}
