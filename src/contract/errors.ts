/**
 * Every error the package makes itself. Match on `code`, not on `instanceof`: two copies of the package in one
 * process have two sets of classes. An error is made where its caller waits, one per caller, never shared.
 */

/** What a caller was waiting for, and how things stood when the wait ended. */
export interface WaitDetails {
  /** The key that was asked for, where there are keys. */
  key?: unknown;
  /** How long the caller had waited, in milliseconds. */
  waitedMs: number;
  /** Permits, leases or keys held when the wait ended. */
  held: number;
  /** Callers still waiting for the same thing. */
  waiting: number;
  /** The limit in force. */
  limit: number;
  /** A line for the message, where the counts do not tell enough. */
  hint?: string | undefined;
}

function describe(details: WaitDetails): string {
  const forKey = 'key' in details ? ` for ${printable(details.key)}` : '';
  const { held, limit, waiting, hint } = details;
  return `${forKey} (${held} of ${limit} held, ${waiting} waiting)${hint ? `; ${hint}` : ''}`;
}

/** What an error keeps of the details. */
function plainDetails({ key, waitedMs, held, waiting, limit }: WaitDetails): WaitDetails {
  return { key, waitedMs, held, waiting, limit };
}

/** A value as it can stand in a message: short, and safe whatever the value is. */
export function printable(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 79)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    if (Array.isArray(value)) {
      const items = value.slice(0, 5).map((item) => (Array.isArray(item) ? 'an array' : printable(item)));
      return `[${items.join(', ')}${value.length > 5 ? ', …' : ''}]`;
    }
  } catch {
    // A getter or a proxy that throws must not take the place of the error that is being made.
  }
  return 'an object';
}

/**
 * The wait took longer than `waitTimeoutMs`. Its stack is the caller's, and it has `key`, `waitedMs`, `held`, `waiting` and `limit`.
 *
 * @example
 * ```ts
 * import { Mutex } from 'latchkey';
 *
 * const mutex = new Mutex();
 * const permit = await mutex.acquire();
 * const error = await mutex.acquire({ waitTimeoutMs: 10 }).catch((reason) => reason);
 * console.log(error.code, error.held, error.limit); // → ERR_WAIT_TIMEOUT 1 1
 * permit.release();
 * ```
 */
export class WaitTimeoutError extends Error {
  override get name(): string {
    return 'WaitTimeoutError';
  }
  readonly code = 'ERR_WAIT_TIMEOUT';
  declare readonly key: unknown;
  declare readonly waitedMs: number;
  declare readonly held: number;
  declare readonly waiting: number;
  declare readonly limit: number;

  constructor(details: WaitDetails, options?: ErrorOptions) {
    super(`gave up after waiting ${Math.round(details.waitedMs)} ms${describe(details)}`, options);
    Object.assign(this, plainDetails(details));
  }
}

/**
 * `maxWaiting` callers were waiting already, so this one was refused at once. It has the counts of `WaitTimeoutError`.
 *
 * @example
 * ```ts
 * import { Semaphore } from 'latchkey';
 *
 * const semaphore = new Semaphore(1, { maxWaiting: 1 });
 * const permit = await semaphore.acquire();
 * const waiting = semaphore.acquire();
 * console.log(await semaphore.acquire().catch((error) => error.code)); // → ERR_QUEUE_FULL
 * permit.release();
 * (await waiting).release();
 * ```
 */
export class QueueFullError extends Error {
  override get name(): string {
    return 'QueueFullError';
  }
  readonly code = 'ERR_QUEUE_FULL';
  declare readonly key: unknown;
  declare readonly waitedMs: number;
  declare readonly held: number;
  declare readonly waiting: number;
  declare readonly limit: number;

  constructor(details: WaitDetails) {
    super(`too many callers waiting${describe(details)}`);
    Object.assign(this, plainDetails(details));
  }
}

/**
 * The object was closed, and grants nothing any more. `retry` never retries it.
 *
 * @example
 * ```ts
 * import { Semaphore } from 'latchkey';
 *
 * const semaphore = new Semaphore(1);
 * semaphore.close();
 * console.log(await semaphore.acquire().catch((error) => error.code)); // → ERR_CLOSED
 * ```
 */
export class ClosedError extends Error {
  override get name(): string {
    return 'ClosedError';
  }
  readonly code = 'ERR_CLOSED';

  constructor(what: string) {
    super(`${what} is closed`);
  }
}

/**
 * A connection could not be made. `key` says to what, and `cause` is what `connect` threw, untouched.
 *
 * @example
 * ```ts
 * import { ConnectionPool } from 'latchkey';
 *
 * const connect = () => Promise.reject(new Error('refused'));
 * const pool = new ConnectionPool({ connect, close: () => {} });
 * const error = await pool.acquire().catch((reason) => reason);
 * console.log(error.code, error.cause.message); // → ERR_CONNECT refused
 * await pool.close();
 * ```
 */
export class ConnectError extends Error {
  override get name(): string {
    return 'ConnectError';
  }
  readonly code = 'ERR_CONNECT';
  readonly key: unknown;

  constructor(message: string, details: { key: unknown; cause: unknown }) {
    super(message, { cause: details.cause });
    this.key = details.key;
  }
}

/**
 * An attempt of `retry` took longer than `attemptTimeoutMs`, or than what was left of `totalTimeoutMs`. The signal of the attempt
 * aborts with it. `cause` is the last error of an attempt that was no timeout, if there is one.
 *
 * @example
 * ```ts
 * import { retry } from 'latchkey';
 *
 * const hanging = () => new Promise<never>(() => {});
 * const error = await retry(hanging, { attempts: 1, attemptTimeoutMs: 10 }).catch((reason) => reason);
 * console.log(error.code, error.attempt, error.timeoutMs); // → ERR_ATTEMPT_TIMEOUT 1 10
 * ```
 */
export class AttemptTimeoutError extends Error {
  override get name(): string {
    return 'AttemptTimeoutError';
  }
  readonly code = 'ERR_ATTEMPT_TIMEOUT';
  readonly attempt: number;
  readonly timeoutMs: number;

  constructor(attempt: number, timeoutMs: number, options?: ErrorOptions) {
    super(`attempt ${attempt} did not end within ${timeoutMs} ms`, options);
    this.attempt = attempt;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * A lock or a connection was lost while it was held. It is the reason of the lease's `signal`.
 *
 * @example
 * ```ts
 * import { ConnectionPool } from 'latchkey';
 *
 * let loseIt = () => {};
 * const pool = new ConnectionPool({
 *   connect(_key, { lost }) {
 *     loseIt = lost;
 *     return 'connection';
 *   },
 *   close: () => {},
 * });
 * const lease = await pool.acquire();
 * loseIt();
 * console.log(lease.signal.aborted, lease.signal.reason.code); // → true ERR_LEASE_LOST
 * lease.release();
 * await pool.close();
 * ```
 */
export class LeaseLostError extends Error {
  override get name(): string {
    return 'LeaseLostError';
  }
  readonly code = 'ERR_LEASE_LOST';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
