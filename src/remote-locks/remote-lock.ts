/** The public classes of a lease keeper: a mutex with keys, and a semaphore with one name. A database only adds its engine. */
import { checkReceiver } from '../contract/arguments.js';
import type { Awaitable, KeyedLock, KeyLease, Limiter, LockStats, WaitOptions } from '../contract/types.js';
import { abortError } from '../waiting/abort-listeners.js';
import { nameOf } from './key-name.js';
import type { LeaseEngine, LeaseHolder } from './lease-engine.js';
import { LeaseKeeper } from './lease-keeper.js';
import { checkPlaces, type LeaseOptions } from './lease-options.js';

/** Calls `task` with the lock; rejects where the method was taken off its lock, as in `const { run } = mutex`. */
function onLock<L extends object, T>(
  lock: L,
  type: abstract new (...args: never[]) => object,
  task: (lock: L) => Promise<T>,
): Promise<T> {
  try {
    checkReceiver('a lock across processes', lock, type);
  } catch (refused) {
    return Promise.reject(refused);
  }
  return task(lock);
}

/**
 * One holder at a time for each key, over all processes that use the same database.
 *
 * @example
 * ```ts no-run
 * import { RedisMutex } from 'latchkey/redis';
 * import { Redis } from 'ioredis';
 *
 * const client = new Redis();
 * const mutex = new RedisMutex(([command = '', ...args]) => client.call(command, ...args));
 * console.log(await mutex.run('report', (lease) => lease.key)); // → report
 * ```
 */
export class RemoteMutex<K extends string | number | bigint = string> implements KeyedLock<K> {
  readonly #keeper: LeaseKeeper<K>;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(engine: LeaseEngine, options: LeaseOptions = {}) {
    this.#keeper = new LeaseKeeper<K>(this, engine, nameOf, options);
  }

  /**
   * Runs `task` while holding `key` and settles as the task does, also when the lock is lost meanwhile: `lease.signal` aborts
   * then.
   *
   * Rejects, and never starts the task, with `signal.reason`, `WaitTimeoutError`, `ClosedError`, or what the database or its
   * driver reported. Giving up loses only the place in the queue.
   */
  run<T>(key: K, task: (lease: KeyLease<K>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return onLock(this, RemoteMutex, (lock) => lock.#keeper.run(key, task, options));
  }

  /** Waits for `key`; the lease works with `await using`. Rejects as `run` does. */
  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K>> {
    return onLock(this, RemoteMutex, (lock) => lock.#keeper.acquire(key, options));
  }

  /**
   * Takes `key` if it is free: one round trip, no wait. Resolves with `undefined` when another holder has it, and without asking
   * when this process holds it or waits for it. Rejects as `run` does.
   */
  tryAcquire(key: K): Promise<KeyLease<K> | undefined> {
    return onLock(this, RemoteMutex, (lock) => lock.#keeper.tryAcquire(key));
  }

  /** How many callers of this process wait now. */
  get waiting(): number {
    return this.#keeper.waiting;
  }

  /** The counts of this process. */
  stats(): LockStats {
    checkReceiver('a lock across processes', this, RemoteMutex);
    return this.#keeper.stats();
  }

  /**
   * Resolves when this object holds nothing, nobody waits for it, and it sends the database no request: at once if that is so
   * now. The options are those of a wait.
   */
  idle(options?: WaitOptions): Promise<void> {
    return onLock(this, RemoteMutex, (lock) => lock.#keeper.idle(options));
  }

  /** Rejects every waiter of this process with `reason`, and stays open. Default: an `AbortError`, as of a signal. */
  refuseWaiting(reason: unknown = abortError()): void {
    checkReceiver('a lock across processes', this, RemoteMutex);
    this.#keeper.refuseWaiting(() => reason);
  }

  /**
   * Who holds `key`, in whatever process: its `owner` option, for how long it has held the key, and when its lease ends unless it is
   * renewed. `undefined` when the key is free. For people and logs: by the time it is read, it may be another holder.
   */
  holder(key: K): Promise<LeaseHolder | undefined> {
    return onLock(this, RemoteMutex, (lock) => lock.#keeper.holder(key));
  }

  /** Releases everything that this object holds. Waiters stay, and are granted next: for a shutdown, see `close`. */
  releaseAll(): Promise<void> {
    return onLock(this, RemoteMutex, (lock) => lock.#keeper.releaseAll());
  }

  /**
   * For a shutdown: waiters and later callers reject with `ClosedError`, then everything that this object holds is released.
   * Resolves when the database has answered, or could not be reached within `ttlMs`.
   */
  close(): Promise<void> {
    return onLock(this, RemoteMutex, (lock) => lock.#keeper.close());
  }
}

/**
 * At most `limit` holders at a time, over all processes that use the same database and name.
 *
 * @example
 * ```ts no-run
 * import { RedisSemaphore } from 'latchkey/redis';
 * import { Redis } from 'ioredis';
 *
 * const client = new Redis();
 * const send = ([command = '', ...args]: string[]) => client.call(command, ...args);
 * const semaphore = new RedisSemaphore(send, 5, { name: 'reports' });
 * console.log(await semaphore.run(() => 'one of five')); // → one of five
 * ```
 */
export class RemoteSemaphore implements Limiter {
  readonly #keeper: LeaseKeeper<string>;
  readonly #name: string;
  readonly #limit: number;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(engine: LeaseEngine, limit: number, name: string, options: LeaseOptions = {}) {
    checkPlaces(limit);
    this.#name = name;
    this.#limit = limit;
    this.#keeper = new LeaseKeeper(this, engine, String, options, limit);
  }

  /** Runs `task` in one of the places and settles as the task does. Rejects as `run` of the mutex does. */
  run<T>(task: (lease: KeyLease<string>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return onLock(this, RemoteSemaphore, (lock) => lock.#keeper.run(lock.#name, task, options));
  }

  /** Waits for a place; the lease works with `await using`. */
  acquire(options?: WaitOptions): Promise<KeyLease<string>> {
    return onLock(this, RemoteSemaphore, (lock) => lock.#keeper.acquire(lock.#name, options));
  }

  /** Takes a place if one is free: one round trip, no wait. `undefined` when all places are taken. */
  tryAcquire(): Promise<KeyLease<string> | undefined> {
    return onLock(this, RemoteSemaphore, (lock) => lock.#keeper.tryAcquire(lock.#name));
  }

  /** How many callers of this process wait now. */
  get waiting(): number {
    return this.#keeper.waiting;
  }

  /** The counts of this process. */
  stats(): LockStats & { limit: number } {
    checkReceiver('a lock across processes', this, RemoteSemaphore);
    return { limit: this.#limit, ...this.#keeper.stats() };
  }

  /**
   * Resolves when this object holds nothing, nobody waits for it, and it sends the database no request: at once if that is so
   * now. The options are those of a wait.
   */
  idle(options?: WaitOptions): Promise<void> {
    return onLock(this, RemoteSemaphore, (lock) => lock.#keeper.idle(options));
  }

  /** Rejects every waiter of this process with `reason`, and stays open. Default: an `AbortError`, as of a signal. */
  refuseWaiting(reason: unknown = abortError()): void {
    checkReceiver('a lock across processes', this, RemoteSemaphore);
    this.#keeper.refuseWaiting(() => reason);
  }

  /** Gives back all places that this object holds. Waiters stay, and are granted next: for a shutdown, see `close`. */
  releaseAll(): Promise<void> {
    return onLock(this, RemoteSemaphore, (lock) => lock.#keeper.releaseAll());
  }

  /** For a shutdown: refuses waiters and later callers with `ClosedError`, then gives back all places. */
  close(): Promise<void> {
    return onLock(this, RemoteSemaphore, (lock) => lock.#keeper.close());
  }
}
