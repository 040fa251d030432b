/**
 * ConnectionPool: a bounded number of connections to any number of keys (hosts, tenants, shards), each leased to
 * one caller at a time or, with `leasesPerConnection`, to several.
 *
 *   Bound      `max` counts everything alive, closing connections too: the server never sees one more.
 *   Late binding  a waiter gets whichever connection is ready first: a new one, or one that comes back.
 *   Dials      as many as there are waiters whom nothing under way will serve; they run side by side, outside any
 *              lock, and belong to the key: nobody's abort wastes one.
 *   Failure    when nothing else can serve a key, a failed dial is told to all its waiters at once as ConnectError;
 *              then one dial at a time probes, after a backoff with jitter.
 *   Fairness   per key first come, first served. At the cap a key without a slot gets that of the least recently
 *              used idle connection of any key, or of a busy one whose time slice is over.
 *   Cancel     giving up loses the caller's place in the queue and nothing else; what was being dialled for him
 *              serves the next one, or stays idle.
 *   Cost       acquire and release of an idle connection are synchronous inside, O(1), and take one promise.
 *
 * The invariants stand in pool-core.ts. Not here: retries of the user's work, minimum idle connections, priorities.
 * Lineage: Go's net/http transport (late binding), jackc/puddle (detached dials), HikariCP (demand, jitter, leaks).
 */
import { runAndReport } from '../calling/run-and-release.js';
import { checkDuration, checkFunction, checkObject } from '../contract/arguments.js';
import type { Awaitable, WaitOptions } from '../contract/types.js';
import { exposed, tracingChannel } from '../runtime/channels.js';
import { type WaitSettings, waitSettings } from '../waiting/wait-settings.js';
import type { ConnectionPoolOptions, ConnectionPoolStats, Connector, Lease } from './connector.js';
import { DeferredCalls } from './deferred-calls.js';
import { Hooks } from './hooks.js';
import { watchForLeak } from './leak-watch.js';
import type { PoolLease } from './lease.js';
import { PoolCore } from './pool-core.js';
import { checkConnector, type PoolSettings, poolSettings } from './settings.js';

/** The key, unless there is only one target: then it is left out. */
type KeyThen<K, Rest extends unknown[]> = [K] extends [void] ? Rest | [key: K, ...Rest] : [key: K, ...Rest];

type UseTask<C, K, T> = (connection: C, lease: Lease<C, K>) => Awaitable<T>;

/** On the tracing channel `latchkey:pool:acquire`: every acquire, also one that need not wait. */
export interface PoolAcquireMessage {
  readonly source: object;
  readonly key?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

const acquires = tracingChannel<PoolAcquireMessage>('latchkey:pool:acquire');

const defaultGraceMs = 10_000;

export class ConnectionPool<C, K = void> implements AsyncDisposable {
  readonly #settings: PoolSettings;
  readonly #hooks: Hooks<C, K>;
  readonly #deferred = new DeferredCalls();
  readonly #core: PoolCore<C, K>;
  readonly #defaults: WaitSettings;

  /** @throws TypeError or RangeError that names the hook or the option, and the value. */
  constructor(connector: Connector<C, K>, options: ConnectionPoolOptions = {}) {
    checkConnector(connector);
    this.#settings = poolSettings(options);
    this.#hooks = new Hooks(this, connector, this.#settings.onEvent, this.#deferred.context);
    this.#core = new PoolCore(this.#settings, this.#hooks, this.#deferred);
    const { waitTimeoutMs } = this.#settings;
    this.#defaults =
      waitTimeoutMs === Infinity ? waitSettings(undefined) : { signal: undefined, waitTimeoutMs };
  }

  /**
   * Runs `task` with a connection and gives it back; settles as the task does, its error untouched. A connection
   * whose task threw is closed, unless the connector's `isReusable` says otherwise.
   *
   * Rejects, and never starts the task, as `acquire` does.
   */
  use<T>(...args: KeyThen<K, [task: UseTask<C, K, T>, options?: WaitOptions | undefined]>): Promise<T>;
  use(first?: unknown, second?: unknown, third?: unknown): Promise<unknown> {
    try {
      return typeof first === 'function'
        ? this.#use(undefined, first, second)
        : this.#use(first, second, third);
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
  acquire(...args: KeyThen<K, [options?: WaitOptions | undefined]>): Promise<Lease<C, K>>;
  acquire(first?: unknown, second?: unknown): Promise<Lease<C, K>> {
    try {
      const keyless = second === undefined && isWaitOptions(first);
      return Promise.resolve(keyless ? this.#acquire(undefined, first) : this.#acquire(first, second));
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /**
   * Starts a new generation, of one key or of all: idle connections close now, leased ones when they come back,
   * and what is being dialled is not used. For credentials that changed, or a server that moved.
   */
  reset(...key: [] | [key: K]): void {
    this.#core.reset(...(key as [K]));
  }

  /**
   * Refuses all who wait and all who come later with `ClosedError`, closes what is idle, waits `graceMs` (default
   * 10_000) for leases and then closes them by force. Resolves when no connection is left; never rejects. Later
   * calls return the same promise.
   */
  close(options: { graceMs?: number | undefined } = {}): Promise<void> {
    try {
      checkObject('options', options);
      const { graceMs = defaultGraceMs } = options;
      checkDuration('graceMs', graceMs);
      return this.#core.close(graceMs);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  stats(): ConnectionPoolStats {
    return this.#core.stats();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #use(key: unknown, task: unknown, options: unknown): Promise<unknown> {
    checkFunction('task', task);
    const lease = this.#acquire(key, options);
    return lease instanceof Promise
      ? this.#useLater(lease, task as UseTask<C, K, unknown>)
      : runAndReport(lease, task as UseTask<C, K, unknown>);
  }

  /** Apart from `#use`, as `#tracedLease` is from `#acquire`: a function that makes functions pays for it with every call. */
  #useLater(lease: Promise<PoolLease<C, K>>, task: UseTask<C, K, unknown>): Promise<unknown> {
    return lease.then((granted) => runAndReport(granted, task));
  }

  #acquire(key: unknown, options: unknown): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    return acquires.start.hasSubscribers
      ? this.#tracedLease(key as K, options as WaitOptions)
      : this.#lease(key as K, options as WaitOptions);
  }

  #tracedLease(key: K, options: WaitOptions | undefined): Promise<PoolLease<C, K>> {
    return acquires.tracePromise(async () => this.#lease(key, options), exposed({ source: this, key }));
  }

  #lease(key: K, options: WaitOptions | undefined): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    const acquiring = this.#core.acquire(key, waitSettings(options, this.#defaults));
    const warnAfterMs = this.#settings.leakWarnAfterMs;
    if (warnAfterMs === Infinity) return acquiring;
    const emit = this.#hooks.emit.bind(this.#hooks);
    return watchForLeak(acquiring, { warnAfterMs, context: this.#deferred.context, emit });
  }
}

/** Tells `acquire(options)`, where there is only one target, from `acquire(key)` with an object for a key. */
function isWaitOptions(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined;
  const names = Object.keys(value);
  return (
    Object.getPrototypeOf(value) === Object.prototype && names.every((name) => waitOptionNames.has(name))
  );
}

const waitOptionNames = new Set(['signal', 'waitTimeoutMs']);
