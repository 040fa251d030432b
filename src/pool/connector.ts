/** What a pool needs from its user, the connector, and what it gives back, the lease. */
import type { Awaitable, Permit } from '../contract/types.js';

/**
 * How connections are made and ended. Every hook runs in the async context in which the pool was made.
 *
 * @example
 * ```ts
 * import { once } from 'node:events';
 * import { connect, createServer, type Socket } from 'node:net';
 * import { ConnectionPool, type Connector } from 'latchkey';
 *
 * const connector: Connector<Socket, number> = {
 *   async connect(port, { signal, lost }) {
 *     const socket = connect(port);
 *     signal.addEventListener('abort', () => socket.destroy());
 *     socket.on('error', lost).on('close', () => lost());
 *     await once(socket, 'connect');
 *     return socket;
 *   },
 *   close: (socket) => void socket.destroy(),
 *   isAlive: (socket) => !socket.destroyed,
 * };
 * const server = createServer((socket) => socket.pipe(socket)).listen(0);
 * await once(server, 'listening');
 * const { port } = server.address() as { port: number };
 * await using pool = new ConnectionPool(connector);
 * console.log(await pool.use(port, (socket) => socket.writable)); // → true
 * server.close();
 * ```
 */
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
  /**
   * Called when the connection is leased and must keep the process alive. Without `ref` and `unref`, the pool calls the methods of that
   * name on a connection that has both, as sockets have.
   */
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

/**
 * The right to use one connection. Works with `using`. Logging it prints `released` and `heldMs` only.
 *
 * @example
 * ```ts
 * import { ConnectionPool } from 'latchkey';
 *
 * await using pool = new ConnectionPool({ connect: async () => 'a connection', close() {} });
 * {
 *   using lease = await pool.acquire();
 *   console.log(lease.connection, lease.signal.aborted); // → a connection false
 * }
 * console.log(pool.stats().leased, pool.stats().idle); // → 0 1
 * ```
 */
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
