/**
 * KeyedMutex: one holder at a time for each key; other keys are not affected.
 *
 * Invariants
 *   K1  Per key at most one lease is out, or one task runs.
 *   K2  A key has an entry exactly while it is held: an unused key takes no memory, and `size` is the number of entries.
 *   K3  Per key, waiters go first come, first served; a newcomer never overtakes one.
 *   K4  A caller of several keys joins all their queues in one synchronous step, so that any two such callers stand
 *       in the same order in every queue they share, and neither waits for the other at once.
 *
 * Hand-over: `release()` passes the key to its oldest waiter in the same turn; the key is never free in between.
 * Cancel: a caller that gives up loses its places and nothing else; a caller of several keys gives back those it has.
 * Cost: without contention, one entry and one lease until the release. Keys are compared as in a Map (SameValueZero):
 *   objects by identity, so give strings or numbers where equal content should mean the same lock.
 * A task that is granted at once starts inside the call of `run`. Some 1,000 calls of `run` nested that way fill the stack.
 * Not re-entrant: a task that asks again for a key it holds waits for ever. Not for several processes: see
 *   `latchkey/postgres` and `latchkey/redis`, which have the same interface.
 */

import { runAndRelease } from '../calling/run-and-release.js';
import { checkFunction, lostObject } from '../contract/arguments.js';
import { QueueFullError, type WaitDetails } from '../contract/errors.js';
import type {
  Awaitable,
  KeyedLock,
  KeyLease,
  LockOptions,
  LockStats,
  Permit,
  WaitOptions,
} from '../contract/types.js';
import { watching } from '../runtime/observer.js';
import { abortError } from '../waiting/abort-listeners.js';
import { Ending } from '../waiting/ending.js';
import { type Link, LinkedList } from '../waiting/linked-list.js';
import { type LockSettings, lockSettings } from '../waiting/lock-settings.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner, Turn } from '../waiting/waiter.js';
import { distinctKeys, KeyGroup, type KeyTable } from './key-group.js';

/**
 * A lock per key, in one process. `maxWaiting` counts per key. A key that comes from outside should be a string: the
 * runtime's `Map` is slow for integers that were chosen to collide.
 *
 * @example
 * ```ts
 * import { KeyedMutex } from 'latchkey';
 *
 * const accounts = new KeyedMutex();
 * const order: string[] = [];
 * const withdraw = (account: string) => accounts.run(account, async () => void order.push(account));
 * await Promise.all([withdraw('ann'), withdraw('ann'), withdraw('bob')]);
 * console.log(order.join(), accounts.size); // → ann,bob,ann 0
 * ```
 */
export class KeyedMutex<K = string> implements KeyedLock<K> {
  readonly #table: LockTable<K>;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options?: LockOptions) {
    this.#table = new LockTable<K>(this, lockSettings(options));
  }

  static #tableOf<K>(mutex: KeyedMutex<K>): LockTable<K> {
    if (!(mutex instanceof KeyedMutex)) throw lostObject('KeyedMutex');
    return mutex.#table;
  }

  /** How many keys are held now. */
  get size(): number {
    return this.#table.size;
  }

  /** How many callers wait now, over all keys. A caller of several keys counts once. */
  get waiting(): number {
    return this.#table.waiting;
  }

  /** Whether `key` is held now. */
  isLocked(key: K): boolean {
    return KeyedMutex.#tableOf(this).isLocked(key);
  }

  /**
   * Runs `task` while holding `key`; settles as the task does, its error untouched.
   *
   * Rejects, and never starts the task, with `signal.reason`, `WaitTimeoutError`, `QueueFullError` or `ClosedError`. An
   * abort after the start does not reach the task; give the task the signal for that.
   */
  run<T>(key: K, task: (lease: KeyLease<K>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    try {
      const table = KeyedMutex.#tableOf(this);
      checkFunction('task', task);
      const settings = waitSettings(options, table.settings.waits);
      const lease = table.tryGrant(key);
      if (lease !== undefined) return runAndRelease(lease, task);
      return table.queueWithRoom(key).waitAndStart(settings, undefined, task, Lease.start);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for `key`; the lease works with `using`. A lease that is never released locks its key for ever: prefer
   * `run`. Rejects as `run` does; a caller that gives up loses only its place in the queue.
   */
  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K> & Permit> {
    try {
      const table = KeyedMutex.#tableOf(this);
      const settings = waitSettings(options, table.settings.waits);
      const lease = table.tryGrant(key);
      return lease === undefined
        ? table.queueWithRoom(key).wait(settings, undefined)
        : Promise.resolve(lease);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * The lease if the key is free, at once; else `undefined`.
   * @throws ClosedError
   */
  tryAcquire(key: K): (KeyLease<K> & Permit) | undefined {
    return KeyedMutex.#tableOf(this).tryGrant(key);
  }

  /** Runs `task` while holding all of `keys`: waits as `acquireAll` does, and settles as the task does. */
  runAll<T>(keys: Iterable<K>, task: () => Awaitable<T>, options?: WaitOptions): Promise<T> {
    try {
      checkFunction('task', task);
      const group = KeyedMutex.#tableOf(this).group(keys, options);
      return group.permit.then((permit) => runAndRelease(permit, () => task()));
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for several keys at once: all or none. Duplicates count once, and the order of `keys` does not matter:
   * callers that name the same keys in opposite order cannot deadlock.
   *
   * Rejects as `run` does; the keys already granted are then given back.
   */
  acquireAll(keys: Iterable<K>, options?: WaitOptions): Promise<Permit> {
    try {
      return KeyedMutex.#tableOf(this).group(keys, options).permit;
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** Resolves when no key is held: at once if that is so now. The options are those of a wait. */
  idle(options?: WaitOptions): Promise<void> {
    try {
      const table = KeyedMutex.#tableOf(this);
      return table.ending.idle(table.size === 0, options);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** Refuses all waiters and all later callers with a `ClosedError`; holders finish. Idempotent. */
  close(): void {
    const table = KeyedMutex.#tableOf(this);
    table.refuse(table.ending.close());
  }

  /** Rejects all waiters with `reason`, and stays open. Default: an `AbortError`, as a signal gives. */
  refuseWaiting(reason: unknown = abortError()): void {
    KeyedMutex.#tableOf(this).refuse(() => reason);
  }

  stats(): LockStats {
    const { size, waiting, ending } = KeyedMutex.#tableOf(this);
    return { held: size, waiting, closed: ending.closed };
  }
}

/** 32 entries that no caller can ask for. They are added to a table at its first grant. */
const ballast = 32;

/**
 * V8 shrinks and rehashes a Map when less than a quarter of it is in use. The ballast keeps a quarter in use, which makes an
 * uncontended key a third cheaper (`npm run bench -- keyed`).
 */
function makeRoom(map: Map<unknown, unknown>): void {
  const symbols = Array.from({ length: 2 * ballast + 1 }, () => Symbol());
  for (const symbol of symbols) map.set(symbol, undefined);
  for (const symbol of symbols.slice(ballast)) map.delete(symbol);
}

/** The held keys and their leases, in an object of their own that leases can reach and users cannot. */
class LockTable<K> implements KeyTable<K> {
  readonly source: KeyedMutex<K>;
  readonly settings: LockSettings;
  readonly groups = new LinkedList<Link<KeyGroup<K>>>();
  readonly #leases = new Map<K, Lease<K> | undefined>();
  #grants = 0;
  #ending: Ending | undefined;

  constructor(source: KeyedMutex<K>, settings: LockSettings) {
    this.source = source;
    this.settings = settings;
  }

  get size(): number {
    return Math.max(0, this.#leases.size - ballast);
  }

  /** The places in the queues of keys; a group counts once instead of once per key. */
  get waiting(): number {
    let waiting = this.groups.size;
    for (const lease of this.#leases.values()) waiting += lease?.waiting ?? 0;
    for (let group = this.groups.head; group !== undefined; group = group.next)
      waiting -= group.item.missingCount;
    return waiting;
  }

  get ending(): Ending {
    const describe = (waitedMs: number) => ({
      ...{ waitedMs, held: this.size, waiting: this.waiting, limit: Infinity },
    });
    this.#ending ??= new Ending('the mutex', { describe, onLeave() {} });
    return this.#ending;
  }

  isLocked(key: K): boolean {
    return this.#leases.has(key);
  }

  /** @throws ClosedError */
  tryGrant(key: K): Lease<K> | undefined {
    this.#ending?.checkOpen();
    return this.#leases.has(key) ? undefined : this.#grant(key, undefined);
  }

  #grant(key: K, keyQueue: KeyQueue<K> | undefined): Lease<K> {
    if (this.#grants++ === 0) makeRoom(this.#leases);
    const lease = new Lease(this, key, this.#grants, keyQueue);
    this.#leases.set(key, lease);
    return lease;
  }

  group(keys: Iterable<K>, options: WaitOptions | undefined): KeyGroup<K> {
    return new KeyGroup(this, distinctKeys(keys), waitSettings(options, this.settings.waits));
  }

  checkRoom(keys: Iterable<K>): void {
    this.#ending?.checkOpen();
    for (const key of keys) if (this.#leases.has(key)) this.queueWithRoom(key);
  }

  queue(key: K): WaitQueue<Lease<K>> {
    return this.#leases.get(key)!.keyQueue.queue;
  }

  /** Where callers wait for a key that is held. @throws QueueFullError when there are too many waiters already. */
  queueWithRoom(key: K): WaitQueue<Lease<K>> {
    const queue = this.queue(key);
    if (queue.size >= this.settings.maxWaiting) throw new QueueFullError(queue.owner.describe(0));
    return queue;
  }

  /** Passes the key to its oldest waiter, or forgets it (K2). */
  release(key: K, keyQueue: KeyQueue<K> | undefined): void {
    if (keyQueue !== undefined && keyQueue.queue.size > 0) {
      keyQueue.queue.grant(this.#grant(key, keyQueue));
      return;
    }
    this.#leases.delete(key);
    if (this.#ending !== undefined && this.size === 0) this.#ending.onFree();
  }

  /** Groups give their keys back last, so that no key passes to a waiter that is to be refused. */
  refuse(makeError: () => unknown): void {
    for (let group = this.groups.head; group !== undefined; group = group.next) group.item.leaveQueues();
    for (const lease of this.#leases.values()) lease?.refuse(makeError);
    while (this.groups.head !== undefined) this.groups.head.item.refuse(makeError);
  }
}

/** The waiters of one key; created on first contention. */
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

/** One grant of one key. A logger does not print the key, which may be secret. */
class Lease<K> implements KeyLease<K>, Permit {
  readonly #key: K;
  /** Until the release. */
  #table: LockTable<K> | undefined;
  readonly #grant: number;
  #keyQueue: KeyQueue<K> | undefined;
  #signal: AbortSignal | undefined;

  constructor(table: LockTable<K>, key: K, grant: number, keyQueue: KeyQueue<K> | undefined) {
    this.#table = table;
    this.#key = key;
    this.#grant = grant;
    this.#keyQueue = keyQueue;
    watching.observer?.granted(this, { source: table.source, key, weight: 1, limit: 1 });
  }

  static start<K, R>({ task, granted }: Turn<Lease<K>, R>): Promise<R> {
    return runAndRelease(granted, task);
  }

  get key(): K {
    return this.#key;
  }

  get keyQueue(): KeyQueue<K> {
    this.#keyQueue ??= new KeyQueue(this.#table!.source, this.#key);
    return this.#keyQueue;
  }

  get waiting(): number {
    return this.#keyQueue?.queue.size ?? 0;
  }

  refuse(makeError: () => unknown): void {
    this.#keyQueue?.queue.refuseAll(makeError);
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
    watching.observer?.released(this);
    table?.release(this.#key, this.#keyQueue);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  toJSON(): object {
    return { released: this.released };
  }

  get [Symbol.toStringTag](): string {
    return this.released ? 'released' : 'held';
  }
}
