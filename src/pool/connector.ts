/** The types users write and read: the connector, the options, the lease, events and statistics. */
import type { Awaitable, Permit } from '../contract/types.js';
import type { WaitOrder } from '../waiting/wait-order.js';

/** How connections are made and ended. Every hook runs in the async context in which the pool was made. */
export interface Connector<C, K = void> {
  /**
   * Opens a connection. The dial belongs to the key, not to the caller that asked first: no caller's abort reaches it.
   * `signal` aborts after `connectTimeoutMs`, on `reset()`, when the pool closes, and when no caller waits for the dial
   * and another key needs its slot. A connection that arrives after that is closed. `lost` tells the pool at any time
   * that the connection is dead. `drain` says that it takes no new lease and may finish its leases (HTTP/2 GOAWAY).
   */
  connect(key: K, context: ConnectContext): Awaitable<C>;
  /** Ends a connection. Its slot counts until this settles, `closeTimeoutMs` at the most. */
  close(connection: C, reason: CloseReason): Awaitable<void>;
  /** Whether the connection still looks alive: synchronous and cheap, asked before every lease except the first. */
  isAlive?(connection: C): boolean;
  /**
   * Whether the connection answers: asked before a lease when it has not answered for `validateAfterIdleMs`. A shared
   * connection is asked beside its leases; when it says no, their signals abort. A lease that ended well is an answer.
   */
  validate?(connection: C, signal: AbortSignal): Awaitable<boolean>;
  /** Cleans an exclusive connection after each release; a failure closes it. */
  reset?(connection: C, signal: AbortSignal): Awaitable<void>;
  /** Whether a connection released with `error` may be used again. Default: no, it is closed. */
  isReusable?(connection: C, error: unknown): boolean;
  /** Called when the connection is leased and must keep the process alive. */
  ref?(connection: C): void;
  /** Called when the connection is idle and must not keep the process alive. */
  unref?(connection: C): void;
  /** Identifies a key; must answer at once. `connect` gets the newest key given for the id. Default: the key itself, as in a Map. */
  keyId?(key: K): unknown;
}

/** What `connect` can tell the pool, while it dials and as long as the connection lives. */
export interface ConnectContext {
  /** Aborts when the dial is not needed any more. */
  readonly signal: AbortSignal;
  /** The connection is dead. A dial fails at once with `error` as its cause. Idempotent, and harmless at any time. */
  lost(error?: unknown): void;
  /** The connection takes no new lease and closes when the last one returns. */
  drain(): void;
  /**
   * How many leases the connection may have now, at most `leasesPerConnection`: the SETTINGS of HTTP/2, for example.
   * Leases that exist keep running. @throws TypeError or RangeError unless it is 0, a whole number or `Infinity`.
   */
  capacity(leases: number): void;
}

/** Why a connection was closed. */
export type CloseReason =
  /** Unused for `idleTimeoutMs`. */
  | 'idle'
  /** Older than `maxLifetimeMs`, or leased `maxUses` times. */
  | 'lifetime'
  /** Idle, and another key needed the slot; or `max` was lowered. */
  | 'evicted'
  /** Busy for long enough while another key starved. */
  | 'rebalanced'
  /** The connector said `lost` or `drain`, or `isAlive` said no. */
  | 'lost'
  /** Released with an error, or destroyed. */
  | 'error'
  /** Of an older generation than `reset()`. */
  | 'reset'
  /** `validate` or `reset` failed. */
  | 'invalid'
  /** A second shared connection that no waiter needed. */
  | 'duplicate'
  /** The pool closed. */
  | 'shutdown';

/** Written as a method so that options for one type of key fit a pool of another. */
type PerKey<K> = { answer(key: K): number }['answer'];

/** Durations are in milliseconds; `Infinity` turns a bound off. An unknown option is a TypeError. */
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

/** The argument of `onEvent`. Every `close` comes after its `connect`. */
export type ConnectionPoolEvent =
  | { type: 'connect'; key: unknown; durationMs: number }
  /** The next dial of the key waits `retryInMs`. */
  | { type: 'connectFailed'; key: unknown; error: unknown; retryInMs: number }
  /**
   * `error`: why it was lost, refused or given back, if there was an error. `leases`: how many it had.
   * `retryInMs`: it was lost so early that it counts as a failed dial; the next dial waits.
   */
  | {
      type: 'close';
      key: unknown;
      reason: CloseReason;
      error?: unknown;
      leases: number;
      livedMs: number;
      retryInMs?: number;
    }
  | { type: 'hookError'; key: unknown; hook: 'close' | 'validate' | 'reset' | HookName; error: unknown }
  /** A dial or a close did not settle in time. Its slot was given back. */
  | { type: 'abandoned'; key: unknown; hook: 'connect' | 'close' }
  | { type: 'doubleRelease'; key: unknown }
  | { type: 'leak'; key: unknown; heldMs: number; stack: string }
  /** A lease that was reported as a leak came back. */
  | { type: 'leakReturned'; key: unknown; heldMs: number };

/** The synchronous hooks. */
export type HookName = 'isAlive' | 'isReusable' | 'ref' | 'unref';

export interface ConnectionPoolStats {
  /** Gauges: connections by state, callers waiting, keys known. `validating` includes those being reset. */
  total: number;
  connecting: number;
  idle: number;
  leased: number;
  validating: number;
  closing: number;
  waiting: number;
  keys: number;
  /** Counters since the pool was made. */
  acquired: number;
  connected: number;
  connectFailed: number;
  timedOut: number;
  aborted: number;
  evicted: number;
  rebalanced: number;
  abandoned: number;
}

/** One key's connections by state, and the callers waiting for one. */
export interface KeyStats {
  total: number;
  connecting: number;
  idle: number;
  leased: number;
  validating: number;
  closing: number;
  waiting: number;
  /** Failures in a row: failed dials, and connections lost too early. */
  failures: number;
}

/** The right to use one connection. Works with `using`. Logging it prints `released` and `heldMs` only. */
export interface Lease<C, K = void> extends Permit {
  readonly key: K;
  /** @throws ClosedError after the release. */
  readonly connection: C;
  /** Aborts with `LeaseLostError` when the connection is lost or closed by force. */
  readonly signal: AbortSignal;
  /**
   * Gives the connection back; idempotent, never throws. With an error the connection is closed, unless
   * `isReusable` says otherwise.
   */
  release(error?: unknown): void;
  /** Gives the connection back to be closed. Resolves when it is closed, `closeTimeoutMs` at the latest; never rejects. */
  destroy(): Promise<void>;
}
