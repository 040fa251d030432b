/** What a user of the pool writes and reads: the connector, the options, the lease, events and statistics. */
import type { Awaitable, Permit } from '../contract/types.js';

/** How connections are made and ended. Every hook runs in the async context in which the pool was made. */
export interface Connector<C, K = void> {
  /**
   * Opens a connection. It belongs to the key, not to the caller who happened to ask first: no caller's abort
   * reaches it. `signal` aborts after `connectTimeoutMs` and when the pool closes; a connection that arrives later
   * all the same is closed. `lost` tells the pool at any time that the connection is dead; `drain` that it takes
   * no more work but may finish what it has (HTTP/2 GOAWAY).
   */
  connect(key: K, context: ConnectContext): Awaitable<C>;
  /** Ends a connection. Its slot counts until this settles, `closeTimeoutMs` at the most. */
  close(connection: C, reason: CloseReason): Awaitable<void>;
  /** Whether the connection still looks alive: synchronous and cheap, asked at every acquire. */
  isAlive?(connection: C): boolean;
  /** Whether the connection answers: asked before a lease after `validateAfterIdleMs` without use. */
  validate?(connection: C, signal: AbortSignal): Awaitable<boolean>;
  /** Cleans an exclusive connection after each release; a failure closes it. */
  reset?(connection: C, signal: AbortSignal): Awaitable<void>;
  /** Whether a connection released with `error` may be used again. Default: no, it is closed. */
  isReusable?(connection: C, error: unknown): boolean;
  /** Called when the connection is leased and must keep the process alive. */
  ref?(connection: C): void;
  /** Called when the connection is idle and must not. */
  unref?(connection: C): void;
  /** What identifies a key. Default: the key itself, compared as in a Map. */
  keyId?(key: K): unknown;
}

export interface ConnectContext {
  readonly signal: AbortSignal;
  /** The connection is dead. Idempotent, and harmless at any time. */
  lost(error?: unknown): void;
  /** The connection takes no new lease and closes when the last one returns. */
  drain(): void;
}

export type CloseReason =
  /** Unused for `idleTimeoutMs`. */
  | 'idle'
  /** Older than `maxLifetimeMs`. */
  | 'lifetime'
  /** Idle, and another key needed the slot. */
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
  /** A second shared connection that nobody needed. */
  | 'duplicate'
  /** The pool closed. */
  | 'shutdown';

export interface ConnectionPoolOptions {
  /** Connections alive in total: connecting, idle, leased, validating and closing. Default 50. */
  max?: number | undefined;
  /** The same per key. Default `max`. */
  maxPerKey?: number | undefined;
  /** Leases that may share one connection; 1 is exclusive. Default 1. */
  leasesPerConnection?: number | undefined;
  /** Dials at once per key. Default 10, what sshd takes before it drops some at random. */
  maxConnecting?: number | undefined;
  /** Callers who may wait; one more is refused with `QueueFullError`. Default Infinity. */
  maxWaiting?: number | undefined;
  /** How long a caller waits unless he says otherwise. Default 30_000. */
  waitTimeoutMs?: number | undefined;
  /** Default 10_000. */
  connectTimeoutMs?: number | undefined;
  /** Default 5_000; then the slot is given back and the connection counted as abandoned. */
  closeTimeoutMs?: number | undefined;
  /** An idle connection closes after this long. Default 60_000. */
  idleTimeoutMs?: number | undefined;
  /** A connection is replaced after this long, less up to 10 % so that they do not all expire at once. Default 1_800_000. */
  maxLifetimeMs?: number | undefined;
  /** `validate` is asked only after this long without use. Default 1_000. */
  validateAfterIdleMs?: number | undefined;
  /** Bound of `validate` and `reset`. Default 1_000. */
  validateTimeoutMs?: number | undefined;
  /** Reports a lease held longer than this, with the stack of its acquire. Default: off. */
  leakWarnAfterMs?: number | undefined;
  /** Told of everything that happens; what it throws is ignored. */
  onEvent?: ((event: ConnectionPoolEvent) => void) | undefined;
}

export type ConnectionPoolEvent =
  | { type: 'connect'; key: unknown; durationMs: number }
  | { type: 'connectFailed'; key: unknown; error: unknown; retryInMs: number }
  | { type: 'close'; key: unknown; reason: CloseReason }
  | { type: 'hookError'; key: unknown; hook: 'close' | 'validate' | 'reset' | HookName; error: unknown }
  /** A dial or a close did not settle in time: its slot was given back all the same. */
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

/** The right to use one connection. Works with `using`. */
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
  /** Gives the connection back to be closed. */
  destroy(): void;
}
