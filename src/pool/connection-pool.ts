/**
 * ConnectionPool: a bounded number of connections to any number of keys (hosts, tenants, shards), each leased to
 * one caller at a time or, with `leasesPerConnection`, to several.
 *
 *   Bound      `max` counts everything alive, closing connections too: the server never sees one more.
 *   Late binding  a waiter gets whichever connection is ready first: a new one, or one that comes back.
 *   Dials      as many as there are waiters that nothing under way will serve. They run side by side, outside any
 *              lock, and belong to the key: no caller's abort wastes one.
 *   Failure    when nothing else can serve a key, a failed dial rejects all its waiters at once with ConnectError;
 *              then one dial at a time probes, after a backoff with jitter. Other keys keep their connections.
 *   Fairness   per key first come, first served. At the cap a key without a slot gets that of the least recently
 *              used idle connection of any key, or of a busy one whose time slice is over.
 *   Cancel     a caller that gives up loses its place in the queue, no more; the dial that it caused serves the next
 *              caller, or its connection stays idle.
 *   Cost       acquire and release of an idle connection are synchronous inside, O(1), and take one promise.
 *
 * The invariants stand in pool-core.ts. Not here: retries of the user's work, priorities, several leases at once.
 * Lineage: Go's net/http transport (late binding), jackc/puddle (detached dials), HikariCP (demand, jitter, leaks).
 */
import {
  checkBoolean,
  checkDuration,
  checkFunction,
  checkLimit,
  checkOptions,
  checkReceiver,
  type OptionNames,
} from '../contract/arguments.js';
import type { PartitionedWaitOptions } from '../contract/types.js';
import { abortError } from '../waiting/abort-listeners.js';
import { waitOptionNames } from '../waiting/wait-settings.js';
import type { Connector, Lease } from './connector.js';
import { DeferredCalls } from './deferred-calls.js';
import { Hooks } from './hooks.js';
import type { PoolLease } from './lease.js';
import type { CloseOptions, ConnectionPoolOptions } from './options.js';
import { PoolCore, type UseTask } from './pool-core.js';
import type { ConnectionPoolStats, KeyStats } from './reports.js';
import { checkConnector, poolSettings } from './settings.js';

/** The key, unless there is only one target: then it is left out. */
type KeyThen<K, Rest extends unknown[]> = [K] extends [void] ? Rest | [key: K, ...Rest] : [key: K, ...Rest];

const defaultGraceMs = 10_000;
const closeOptionNames: OptionNames<CloseOptions> = { graceMs: true, drain: true };

/**
 * A bounded number of connections to any number of keys. With one target, leave the key out: `pool.use(task)`.
 *
 * Cancelling a wait loses the place in the queue, no more: dials belong to the key.
 *
 * @example
 * ```ts
 * import { ConnectionPool } from 'latchkey';
 *
 * const pool = new ConnectionPool<{ host: string }, string>(
 *   { connect: async (host) => ({ host }), close() {} },
 *   { max: 10 },
 * );
 * console.log(await pool.use('db-1', (connection) => connection.host)); // → db-1
 * await pool.close();
 * ```
 */
export class ConnectionPool<C, K = void> implements AsyncDisposable {
  readonly #core: PoolCore<C, K>;

  /** @throws TypeError or RangeError that names the hook or the option, and the value. */
  constructor(connector: Connector<C, K>, options: ConnectionPoolOptions<NoInfer<K>> = {}) {
    checkConnector(connector);
    const settings = poolSettings(options);
    const deferred = new DeferredCalls();
    const hooks = new Hooks(this, connector, settings.onEvent, deferred.context);
    this.#core = new PoolCore(settings, hooks, deferred);
  }

  /**
   * Runs `task` with a connection and gives it back; settles as the task does, its error untouched. A connection
   * whose task threw is closed, unless the connector's `isReusable` says otherwise.
   *
   * Rejects as `acquire` does; then the task never starts.
   */
  use<T>(
    ...args: KeyThen<K, [task: UseTask<C, K, T>, options?: PartitionedWaitOptions | undefined]>
  ): Promise<T>;
  use(first?: unknown, second?: unknown, third?: unknown): Promise<unknown> {
    try {
      checkReceiver('ConnectionPool', this, ConnectionPool);
      // With two functions the first one is a key.
      return typeof first === 'function' && typeof second !== 'function'
        ? this.#use(undefined, first, second)
        : this.#use(first, second === undefined ? first : second, third);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Waits for a connection; the lease works with `using`. A lease that is never released takes its connection out
   * of the pool for good: prefer `use`.
   *
   * Rejects with `signal.reason`; `WaitTimeoutError` after `waitTimeoutMs`, with the last failed dial as `cause`;
   * `ConnectError` when the dial failed and nothing else can serve the key; `QueueFullError`; `ClosedError`.
   */
  acquire(...args: KeyThen<K, [options?: PartitionedWaitOptions | undefined]>): Promise<Lease<C, K>>;
  acquire(first?: unknown, second?: unknown): Promise<Lease<C, K>> {
    try {
      checkReceiver('ConnectionPool', this, ConnectionPool);
      const isKeyless = second === undefined && !this.#core.identifies && isWaitOptions(first);
      return Promise.resolve(isKeyless ? this.#acquire(undefined, first) : this.#acquire(first, second));
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * An idle connection that is alive and needs no `validate`, at once; otherwise `undefined`. It never dials, and never
   * overtakes a waiter. @throws ClosedError when the pool is closed.
   */
  tryAcquire(...key: KeyThen<K, []>): Lease<C, K> | undefined {
    checkReceiver('ConnectionPool', this, ConnectionPool);
    return this.#core.tryAcquire(key[0] as K);
  }

  /**
   * Starts a new generation, of one key or of all: idle connections close now, leased ones when they come back,
   * and dials under way are aborted and replaced. For credentials that changed, or a server that moved.
   */
  reset(...key: [] | [key: K]): void {
    checkReceiver('ConnectionPool', this, ConnectionPool);
    this.#core.reset(...(key as [K]));
  }

  /**
   * Refuses the waiters and all later callers with `ClosedError`, closes idle connections, waits `graceMs` (default
   * 10_000) for leases and then closes theirs by force. With `drain`, the waiters are still served within `graceMs`.
   * Resolves when no connection is left; never rejects, except for bad options. Later calls return the same promise;
   * a shorter grace wins.
   */
  close(options: CloseOptions = {}): Promise<void> {
    try {
      checkReceiver('ConnectionPool', this, ConnectionPool);
      checkOptions(options, closeOptionNames);
      const { graceMs = defaultGraceMs, drain = false } = options;
      checkDuration('graceMs', graceMs);
      checkBoolean('drain', drain);
      return this.#core.close(graceMs, drain);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** Rejects every waiter with `reason`, and stays open. Dials under way go on. Default: an `AbortError`, as of a signal. */
  refuseWaiting(reason: unknown = abortError()): void {
    checkReceiver('ConnectionPool', this, ConnectionPool);
    this.#core.refuseWaiting(() => reason);
  }

  /** How many callers wait now, for any key. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /**
   * The cap of the pool; may be set at any time. Lowering it closes idle connections first, then aborts the youngest
   * dials; leased connections close when they come back, and no lease is interrupted. Raising it dials for the waiters
   * in the same turn.
   */
  get max(): number {
    return this.#core.max;
  }

  set max(max: number) {
    checkLimit('max', max);
    this.#core.resize(max);
  }

  /** Counts of the whole pool, or of one key; `undefined` for a key without connection and waiter. */
  stats(): ConnectionPoolStats;
  stats(key: K): KeyStats | undefined;
  stats(...key: [] | [key: K]): ConnectionPoolStats | KeyStats | undefined {
    checkReceiver('ConnectionPool', this, ConnectionPool);
    return key.length === 0 ? this.#core.stats() : this.#core.keyStats(key[0]);
  }

  /** The keys that have a connection or a waiter now. */
  keys(): IterableIterator<K> {
    checkReceiver('ConnectionPool', this, ConnectionPool);
    return this.#core.keys();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #use(key: unknown, task: unknown, options: unknown): Promise<unknown> {
    checkFunction('task', task);
    return this.#core.use(key as K, task as UseTask<C, K, unknown>, options as PartitionedWaitOptions);
  }

  #acquire(key: unknown, options: unknown): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    return this.#core.acquire(key as K, options as PartitionedWaitOptions);
  }
}

/** Whether an object is made of braces, in any realm, or has no prototype. */
function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Tells `acquire(options)`, where there is only one target, from `acquire(key)` with an object for a key. */
function isWaitOptions(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined;
  return (
    isPlain(value) &&
    Object.keys(value).every((name) => name === 'partition' || Object.hasOwn(waitOptionNames, name))
  );
}
