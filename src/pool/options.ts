/** The options of a pool, and of its close. */
import type { WaitOrder } from '../waiting/wait-order.js';
import type { ConnectionPoolEvent } from './reports.js';

/** Written as a method so that options for one type of key fit a pool of another. */
type PerKey<K> = { answer(key: K): number }['answer'];

/**
 * Durations are in milliseconds; `Infinity` turns a bound off. An unknown option is a TypeError.
 *
 * @example
 * ```ts
 * import { ConnectionPool, type ConnectionPoolOptions } from 'latchkey';
 *
 * const options: ConnectionPoolOptions<string> = {
 *   max: 20,
 *   maxPerKey: (tenant) => (tenant === 'big' ? 10 : 2),
 *   maxWaitingPerKey: 100,
 *   waitTimeoutMs: 2_000,
 *   connectTimeoutMs: 1_000,
 * };
 * const connect = async (tenant: string) => ({ tenant });
 * await using pool = new ConnectionPool({ connect, close() {} }, options);
 * await Promise.all(['big', 'big', 'big', 'small', 'small', 'small'].map((tenant) => pool.use(tenant, () => {})));
 * console.log(pool.stats('big')?.total, pool.stats('small')?.total); // → 3 2
 * ```
 */
export interface ConnectionPoolOptions<K = unknown> {
  /** Connections alive in total: connecting, idle, leased, validating and closing. Default 50. */
  max?: number | undefined;
  /** The same per key. A function is asked when a key is first used, and must answer at once. Default `max`. */
  maxPerKey?: number | PerKey<K> | undefined;
  /** Leases that may share one connection; 1 is exclusive. Default 1. */
  leasesPerConnection?: number | undefined;
  /** Dials at once per key. Default 10, because sshd drops unauthenticated connections above 10 at random. */
  maxConnecting?: number | undefined;
  /** Dials at once over all keys. Default `max`. */
  maxConnectingTotal?: number | undefined;
  /**
   * Callers that may wait beyond the capacity; one more is refused with `QueueFullError`. A caller that a free slot, a
   * dial under way or a connection under validation will serve does not count. Default Infinity.
   */
  maxWaiting?: number | undefined;
  /** The same per key. Default Infinity. */
  maxWaitingPerKey?: number | undefined;
  /**
   * The order in which the waiters of one key are served; see `latchkey/overload`. The pool shares its slots between keys as
   * without it. Default: first come, first served.
   */
  order?: WaitOrder | undefined;
  /**
   * Idle connections to keep ready for each key in use; a key is in use for `idleTimeoutMs` after its last acquire. They
   * are dialled in the background, in slots that no other key wants. Where `connect` takes no arguments, the pool
   * starts with them. Default 0.
   */
  minIdle?: number | undefined;
  /** A connection is replaced after this many leases. Default Infinity. */
  maxUses?: number | undefined;
  /** How long a caller waits, unless the call says otherwise. Default 30_000. */
  waitTimeoutMs?: number | undefined;
  /** How long a dial may take; then its signal aborts and it has failed. Default 10_000. */
  connectTimeoutMs?: number | undefined;
  /** How long `close` may take; then the slot is given back and the connection counted as abandoned. Default 5_000. */
  closeTimeoutMs?: number | undefined;
  /** An idle connection closes after this long. Default 60_000. */
  idleTimeoutMs?: number | undefined;
  /** An idle connection is validated when it has not answered for this long: shorter than the time after which a firewall forgets it. Default: off. */
  keepAliveMs?: number | undefined;
  /** A connection is replaced after this long, less up to 10 % so that they do not all expire at once. Default 1_800_000. */
  maxLifetimeMs?: number | undefined;
  /** `validate` is asked before a lease when the connection has not answered for this long. Default 1_000. */
  validateAfterIdleMs?: number | undefined;
  /** How long `validate` and `reset` may take. Default 1_000. */
  validateTimeoutMs?: number | undefined;
  /** Reports a lease held longer than this, with the stack of its acquire. Default: off. */
  leakWarnAfterMs?: number | undefined;
  /** Called on every event; what it throws or rejects with is ignored. */
  onEvent?: ((event: ConnectionPoolEvent) => void) | undefined;
}

/** How a pool closes. */
export interface CloseOptions {
  /** How long leases may last, in milliseconds; then they are closed by force. Default 10_000. */
  graceMs?: number | undefined;
  /** Whether the waiters are still served within `graceMs`. Default: false, they are refused. */
  drain?: boolean | undefined;
}
