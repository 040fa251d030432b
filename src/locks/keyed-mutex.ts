/**
 * KeyedMutex: one holder at a time for each key; other keys are not affected.
 *
 * Invariants
 *   K1  Per key at most one lease is out, or one task runs.
 *   K2  A key has an entry exactly while it is held: an idle key costs nothing, and `size` is the entries.
 *   K3  Per key, waiters go first come, first served; a newcomer never overtakes one.
 *   K4  A caller of several keys joins all their queues in one synchronous step, so that any two such callers stand
 *       in the same order wherever they meet: nobody can wait for somebody who waits for him.
 *
 * Hand-over: `release()` passes the key to its oldest waiter in the same turn; the key is never free in between.
 * Cancel: giving up loses the caller's places and nothing else; with several keys, those already got are given back.
 * Cost: uncontended, one entry and one lease, gone with the release. Keys are compared as in a Map (SameValueZero):
 *   objects by identity, so give strings or numbers where equal content should mean the same lock.
 * Not re-entrant: a task that asks again for a key it holds waits for ever. Not for several processes: see
 *   `latchkey/postgres` and `latchkey/redis`, which have the same interface.
 */

import { runAndRelease } from '../calling/run-and-release.js';
import { checkFunction } from '../contract/arguments.js';
import type { WaitDetails } from '../contract/errors.js';
import type { Awaitable, KeyedLock, KeyLease, Permit, WaitOptions } from '../contract/types.js';
import { observer } from '../runtime/observer.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner, Turn } from '../waiting/waiter.js';
import { distinctKeys, KeyGroup } from './key-group.js';

export class KeyedMutex<K = unknown> implements KeyedLock<K> {
  readonly #table = new LockTable<K>(this);

  /** How many keys are held now. */
  get size(): number {
    return this.#table.size;
  }

  isLocked(key: K): boolean {
    return this.#table.isLocked(key);
  }

  /**
   * Runs `task` while holding `key`; settles as the task does, its error untouched.
   *
   * Rejects with `signal.reason` or `WaitTimeoutError` when the caller gave up before his turn: the task then
   * never starts. An abort after the start does not reach the task; give the task the signal for that.
   */
  run<T>(key: K, task: (lease: KeyLease<K>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    try {
      checkFunction('task', task);
      const settings = waitSettings(options);
      const lease = this.#table.tryGrant(key);
      if (lease !== undefined) return runAndRelease(lease, task);
      return this.#table.queue(key).wait(settings, undefined, task).then(Lease.start);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for `key`; the lease works with `using`. A lease that is never released locks its key for ever: prefer
   * `run`. Rejects as `run` does; giving up loses only the place in the queue.
   */
  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K> & Permit> {
    try {
      const settings = waitSettings(options);
      const lease = this.#table.tryGrant(key);
      return lease === undefined ? this.#table.queue(key).wait(settings) : Promise.resolve(lease);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** The lease if the key is free, at once; else `undefined`. */
  tryAcquire(key: K): (KeyLease<K> & Permit) | undefined {
    return this.#table.tryGrant(key);
  }

  /** Runs `task` while holding all of `keys`: waits as `acquireAll` does, and settles as the task does. */
  runAll<T>(keys: Iterable<K>, task: () => Awaitable<T>, options?: WaitOptions): Promise<T> {
    try {
      checkFunction('task', task);
      const group = new KeyGroup(this.#table, distinctKeys(keys), waitSettings(options));
      return group.permit.then((permit) => runAndRelease(permit, () => task()));
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for several keys at once: all or none. Duplicates count once, and the order of `keys` does not matter:
   * callers who want the same keys in opposite order cannot deadlock.
   *
   * Rejects with `signal.reason` or `WaitTimeoutError`; the keys already got are then given back.
   */
  acquireAll(keys: Iterable<K>, options?: WaitOptions): Promise<Permit> {
    try {
      return new KeyGroup(this.#table, distinctKeys(keys), waitSettings(options)).permit;
    } catch (refused) {
      return Promise.reject(refused);
    }
  }
}

/** Entries that nobody can ask for, and that are in a table from its first grant on. */
const ballast = 32;

/**
 * A `Map` that empties and fills again with every grant is rebuilt every few of them, for it has shrunk to its smallest. It
 * shrinks when less than a quarter of it is in use: with the ballast in a quarter of it, a free key costs a third less
 * (`npm run bench -- keyed`).
 */
function makeRoom(map: Map<unknown, unknown>): void {
  const symbols = Array.from({ length: 2 * ballast + 1 }, () => Symbol());
  for (const symbol of symbols) map.set(symbol, undefined);
  for (const symbol of symbols.slice(ballast)) map.delete(symbol);
}

/** The held keys and their leases, apart from their public face so that a lease can reach them and a user cannot. */
class LockTable<K> {
  readonly source: KeyedMutex<K>;
  readonly #leases = new Map<K, Lease<K>>();
  #grants = 0;

  constructor(source: KeyedMutex<K>) {
    this.source = source;
  }

  get size(): number {
    return Math.max(0, this.#leases.size - ballast);
  }

  isLocked(key: K): boolean {
    return this.#leases.has(key);
  }

  tryGrant(key: K): Lease<K> | undefined {
    return this.#leases.has(key) ? undefined : this.#grant(key, undefined);
  }

  #grant(key: K, keyQueue: KeyQueue<K> | undefined): Lease<K> {
    if (this.#grants++ === 0) makeRoom(this.#leases);
    const lease = new Lease(this, key, this.#grants, keyQueue);
    this.#leases.set(key, lease);
    return lease;
  }

  /** Where callers wait for a key that is held. */
  queue(key: K): WaitQueue<Lease<K>> {
    return this.#leases.get(key)!.keyQueue.queue;
  }

  /** Passes the key to its oldest waiter, or forgets it (K2). */
  release(key: K, keyQueue: KeyQueue<K> | undefined): void {
    if (keyQueue === undefined || keyQueue.queue.size === 0) this.#leases.delete(key);
    else keyQueue.queue.grant(this.#grant(key, keyQueue));
  }
}

/** Those who wait for a key; there are none of a key that nobody has ever waited for while it was held. */
class KeyQueue<K> implements QueueOwner {
  readonly source: KeyedMutex<K>;
  readonly queue = new WaitQueue<Lease<K>>(this);
  readonly #key: K;

  constructor(source: KeyedMutex<K>, key: K) {
    this.source = source;
    this.#key = key;
  }

  describe(waitedMs: number): WaitDetails {
    return { key: this.#key, waitedMs, held: 1, waiting: this.queue.size, limit: 1 };
  }

  onLeave(): void {}
}

class Lease<K> implements KeyLease<K>, Permit {
  readonly key: K;
  /** Until the release. */
  #table: LockTable<K> | undefined;
  readonly #grant: number;
  #keyQueue: KeyQueue<K> | undefined;
  #signal: AbortSignal | undefined;

  constructor(table: LockTable<K>, key: K, grant: number, keyQueue: KeyQueue<K> | undefined) {
    this.#table = table;
    this.key = key;
    this.#grant = grant;
    this.#keyQueue = keyQueue;
    observer?.granted(this, { source: table.source, key, weight: 1, limit: 1 });
  }

  static start<K, R>({ task, granted }: Turn<Lease<K>, R>): Promise<R> {
    return runAndRelease(granted, task);
  }

  get keyQueue(): KeyQueue<K> {
    this.#keyQueue ??= new KeyQueue(this.#table!.source, this.key);
    return this.#keyQueue;
  }

  get token(): bigint {
    return BigInt(this.#grant);
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }

  get released(): boolean {
    return this.#table === undefined;
  }

  release(): void {
    const table = this.#table;
    this.#table = undefined;
    observer?.released(this);
    table?.release(this.key, this.#keyQueue);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}
