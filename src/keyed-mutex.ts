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
import { runHolding } from './hold.js';
import type { Awaitable, KeyedLock, KeyLease, Permit, WaitOptions } from './vocabulary.js';
import {
  type QueueOwner,
  type Turn,
  type Waiter,
  WaitQueue,
  type WaitTerms,
  waitTerms,
} from './wait-queue.js';

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
      const terms = waitTerms(options);
      const lease = this.#table.tryGrant(key);
      if (lease !== undefined) return runHolding(lease, task);
      return this.#table.queue(key).wait(terms, undefined, task).then(Lease.start);
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
      return lease === undefined ? this.#table.queue(key).wait(terms) : Promise.resolve(lease);
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
      const group = new KeyGroup(this.#table, distinct(keys), waitTerms(options));
      return group.permit.then((permit) => runHolding(permit, () => task()));
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
      return new KeyGroup(this.#table, distinct(keys), waitTerms(options)).permit;
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

  #grant(key: K, contenders: Contenders<K> | undefined): Lease<K> {
    if (this.#grants++ === 0) makeRoom(this.#leases);
    const lease = new Lease(this, key, this.#grants, contenders);
    this.#leases.set(key, lease);
    return lease;
  }

  /** Where callers wait for a key that is held. */
  queue(key: K): WaitQueue<Lease<K>> {
    return this.#leases.get(key)!.contenders.queue;
  }

  /** Passes the key to its oldest waiter, or forgets it (K2). */
  release(key: K, contenders: Contenders<K> | undefined): void {
    if (contenders === undefined || contenders.queue.size === 0) this.#leases.delete(key);
    else contenders.queue.grant(this.#grant(key, contenders));
  }
}

/** Those who wait for a key; there are none of a key that nobody has ever waited for while it was held. */
class Contenders<K> implements QueueOwner {
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
  #contenders: Contenders<K> | undefined;
  #signal: AbortSignal | undefined;

  constructor(table: LockTable<K>, key: K, grant: number, contenders: Contenders<K> | undefined) {
    this.#table = table;
    this.key = key;
    this.#grant = grant;
    this.#contenders = contenders;
  }

  static start<K, R>({ task, granted }: Turn<Lease<K>, R>): Promise<R> {
    return runHolding(granted, task);
  }

  get contenders(): Contenders<K> {
    this.#contenders ??= new Contenders(this.#table!.source, this.key);
    return this.#contenders;
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
    table?.release(this.key, this.#contenders);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

/** The keys, each once. A string is refused, for it would lock its letters; nothing too, for it would lock nothing. */
function distinct<K>(keys: Iterable<K>): ReadonlySet<K> {
  if (typeof keys === 'string') {
    throw new TypeError(`keys must be an iterable of keys, got the string ${printable(keys)}`);
  }
  if (typeof (keys as Partial<Iterable<K>> | null | undefined)?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`keys must be an iterable of keys, got ${printable(keys)}`);
  }
  return new Set(keys);
}

/** A caller of several keys: stands in the queue of each (K4), and waits as a whole in a queue of his own. */
class KeyGroup<K> implements QueueOwner {
  readonly source: KeyedMutex<K>;
  readonly permit: Promise<Permit>;
  readonly #keys: ReadonlySet<K>;
  readonly #leases: Lease<K>[] = [];
  readonly #places: Waiter<Lease<K>, void>[] = [];
  readonly #whole = new WaitQueue<Permit>(this);

  constructor(table: LockTable<K>, keys: ReadonlySet<K>, terms: WaitTerms) {
    this.source = table.source;
    this.#keys = keys;
    for (const key of this.#keys) {
      const lease = table.tryGrant(key);
      if (lease === undefined) this.#places.push(table.queue(key).join(this.#onGrant));
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
