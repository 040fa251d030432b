/** What a pool reports: events and statistics. */
import type { CloseReason } from './connector.js';

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
