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
import { checkFunction } from './arguments.js';
import { printable, type WaitDetails } from './errors.js';
import { Hold } from './hold.js';
import type { Awaitable, KeyedLock, KeyLease, Permit, WaitOptions } from './vocabulary.js';
import { type QueueOwner, type Waiter, WaitQueue, type WaitTerms, waitTerms } from './wait-queue.js';

export class KeyedMutex<K = unknown> implements KeyedLock<K> {
  readonly #table = new LockTable<K>();

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
      const terms = waitTerms(options);
      const lease = this.#table.tryGrant(key);
      if (lease !== undefined) return new Hold(lease).run(task, lease);
      return this.#table.wait(key, terms).then((granted) => new Hold(granted).run(task, granted));
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
      const terms = waitTerms(options);
      const lease = this.#table.tryGrant(key);
      return lease === undefined ? this.#table.wait(key, terms) : Promise.resolve(lease);
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
      const group = new KeyGroup(this.#table, keys, waitTerms(options));
      return group.permit.then((permit) => new Hold(permit).run(task));
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
      return new KeyGroup(this.#table, keys, waitTerms(options)).permit;
    } catch (refused) {
      return Promise.reject(refused);
    }
  }
}

/** The held keys, apart from their public face so that a lease can reach them and a user cannot. */
class LockTable<K> {
  readonly #held = new Map<K, HeldKey<K>>();
  #grants = 0;

  get size(): number {
    return this.#held.size;
  }

  isLocked(key: K): boolean {
    return this.#held.has(key);
  }

  tryGrant(key: K): Lease<K> | undefined {
    if (this.#held.has(key)) return undefined;
    const heldKey = new HeldKey(this, key);
    this.#held.set(key, heldKey);
    return this.lease(heldKey);
  }

  lease(heldKey: HeldKey<K>): Lease<K> {
    this.#grants++;
    return new Lease(heldKey, this.#grants);
  }

  /** Joins the queue of a key that is held. */
  wait(key: K, terms: WaitTerms): Promise<Lease<K>> {
    return this.#held.get(key)!.queue.wait(terms);
  }

  /** Joins the queue of a key that is held, with a callback for the grant. */
  join(key: K, onGrant: (lease: Lease<K>) => void): Waiter<Lease<K>> {
    return this.#held.get(key)!.queue.join(onGrant);
  }

  forget(key: K): void {
    this.#held.delete(key);
  }
}

/** A key while it is held. */
class HeldKey<K> implements QueueOwner {
  readonly key: K;
  readonly #table: LockTable<K>;
  #queue: WaitQueue<Lease<K>> | undefined;

  constructor(table: LockTable<K>, key: K) {
    this.#table = table;
    this.key = key;
  }

  get queue(): WaitQueue<Lease<K>> {
    this.#queue ??= new WaitQueue(this);
    return this.#queue;
  }

  /** Passes the key to its oldest waiter, or forgets it (K2). */
  release(): void {
    if (this.#queue !== undefined && this.#queue.size > 0) this.#queue.grant(this.#table.lease(this));
    else this.#table.forget(this.key);
  }

  describe(waitedMs: number): WaitDetails {
    return { key: this.key, waitedMs, held: 1, waiting: this.queue.size, limit: 1 };
  }

  onLeave(): void {}
}

class Lease<K> implements KeyLease<K>, Permit {
  readonly #heldKey: HeldKey<K>;
  readonly #grant: number;
  #released = false;
  #signal: AbortSignal | undefined;

  constructor(heldKey: HeldKey<K>, grant: number) {
    this.#heldKey = heldKey;
    this.#grant = grant;
  }

  get key(): K {
    return this.#heldKey.key;
  }

  get token(): bigint {
    return BigInt(this.#grant);
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#heldKey.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

/** A caller of several keys: stands in the queue of each (K4), and waits as a whole in a queue of his own. */
class KeyGroup<K> implements QueueOwner {
  readonly permit: Promise<Permit>;
  readonly #keys: ReadonlySet<K>;
  readonly #leases: Lease<K>[] = [];
  readonly #places: Waiter<Lease<K>>[] = [];
  readonly #whole = new WaitQueue<Permit>(this);

  constructor(table: LockTable<K>, keys: Iterable<K>, terms: WaitTerms) {
    if (typeof keys === 'string') {
      throw new TypeError(`keys must be an iterable of keys, got the string ${printable(keys)}`);
    }
    this.#keys = new Set(keys);
    for (const key of this.#keys) {
      const lease = table.tryGrant(key);
      if (lease === undefined) this.#places.push(table.join(key, this.#onGrant));
      else this.#leases.push(lease);
    }
    this.permit = this.#complete ? Promise.resolve(new GroupPermit(this.#leases)) : this.#whole.wait(terms);
  }

  get #complete(): boolean {
    return this.#leases.length === this.#keys.size;
  }

  readonly #onGrant = (lease: Lease<K>): void => {
    this.#leases.push(lease);
    if (this.#complete) this.#whole.grant(new GroupPermit(this.#leases));
  };

  /** The caller gave up: all or none. */
  onLeave(): void {
    for (const place of this.#places) place.leave();
    for (const lease of this.#leases) lease.release();
  }

  describe(waitedMs: number): WaitDetails {
    return { key: [...this.#keys], waitedMs, held: this.#leases.length, waiting: 0, limit: this.#keys.size };
  }
}

class GroupPermit implements Permit {
  readonly #leases: readonly Permit[];
  #released = false;

  constructor(leases: readonly Permit[]) {
    this.#leases = leases;
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const lease of this.#leases) lease.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
