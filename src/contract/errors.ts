/**
 * Every error the package makes itself. Match on `code`, not on `instanceof`: two copies of the package in one
 * process have two sets of classes. An error is made where its caller waits, one per caller, never shared.
 *
 * Invariants
 *   ER1  A key can be read from an error, but no logger prints it: `key` is not enumerable. It may hold a password.
 *   ER2  The message shows a key only where it is a short text or a number, and never the userinfo or the query of a URL, nor
 *        a password in a connection string.
 *   ER3  `name` can be assigned, as on every error of the language.
 */

/** What a caller was waiting for, and the counts when the wait ended. */
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
  /** Text for the end of the message, where the counts do not explain the wait. */
  hint?: string | undefined;
}

function describe({ key, held, limit, waiting, hint }: WaitDetails): string {
  const forKey = key === undefined ? '' : ` for ${printable(key)}`;
  return `${forKey} (${held} of ${limit} held, ${waiting} waiting)${hint ? `; ${hint}` : ''}`;
}

/** Gives an error the details, without the hint. The key can be read, but is not printed (ER1). */
function addDetails(error: Error, { key, hint: _, ...counts }: WaitDetails): void {
  Object.assign(error, counts);
  define(error, 'key', key, false);
}

function define(error: Error, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, name, { value, enumerable, writable: true, configurable: true });
}

/**
 * A text without what may be secret in a URL or a connection string, wherever it stands in the text. A key may come from a
 * stranger, so the time is linear in its length.
 */
function redacted(text: string): string {
  // The query of a path, then the query and the fragment of a URL.
  const path = text.replace(/\S+/g, withoutUserinfo).replace(/\?[^\s=?]+=.*$/s, '');
  const slashes = path.indexOf('//');
  const url = slashes < 0 ? path : path.slice(0, slashes) + path.slice(slashes).replace(/[?#].*$/s, '');
  // `host=db password=secret`, `Server=db;Pwd=secret`
  return url.replace(/(pass\w{0,20}|pwd|secret|token|key) {0,9}= {0,9}('[^']*'|[^\s;&]+)/gi, '$1=…');
}

/** `//user:password@host` and `user:password@host`, also with characters that a URL does not allow there. */
function withoutUserinfo(word: string): string {
  const end = word.lastIndexOf('@');
  if (end < 0) return word;
  const before = word.slice(0, end);
  const slashes = before.indexOf('//');
  const start = slashes < 0 ? before.indexOf(':') + 1 : slashes + 2;
  return start === 0 ? word : `${before.slice(0, start)}…${word.slice(end)}`;
}

/** A value as text for a message: short, and safe for every value. */
export function printable(value: unknown): string {
  if (typeof value === 'string') {
    const text = redacted(value.slice(0, 2_000));
    return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    if (Array.isArray(value)) {
      const items = value.slice(0, 5).map((item) => (Array.isArray(item) ? 'an array' : printable(item)));
      return `[${items.join(', ')}${value.length > 5 ? ', …' : ''}]`;
    }
    if (value instanceof Promise) return 'a promise';
  } catch {
    // A getter or a proxy that throws must not take the place of the error that is being made.
  }
  return 'an object';
}

/**
 * Makes an error without a stack, at a tenth of the cost. Meant for many errors at once, whose stacks would all be the same.
 * No other code runs in between. Where `Error` is frozen, the error has its stack.
 */
export function withoutStack<E extends Error>(make: () => E): E {
  const limit: unknown = Reflect.get(Error, 'stackTraceLimit');
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return make();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

/**
 * The wait took longer than `waitTimeoutMs`. Its stack is the caller's.
 *
 * @example
 * ```ts
 * import { Mutex } from 'latchkey';
 *
 * const mutex = new Mutex();
 * const permit = await mutex.acquire();
 * const error = await mutex.acquire({ waitTimeoutMs: 10 }).catch((thrown) => thrown);
 * console.log(error.code, error.held, error.limit); // → ERR_WAIT_TIMEOUT 1 1
 * permit.release();
 * ```
 */
export class WaitTimeoutError extends Error {
  override get name(): string {
    return 'WaitTimeoutError';
  }
  override set name(name: string) {
    define(this, 'name', name, true);
  }
  readonly code = 'ERR_WAIT_TIMEOUT';
  /** The key the caller waited for. Not enumerable. */
  declare readonly key: unknown;
  declare readonly waitedMs: number;
  declare readonly held: number;
  declare readonly waiting: number;
  declare readonly limit: number;

  constructor(details: WaitDetails, options?: ErrorOptions) {
    super(`gave up after waiting ${Math.round(details.waitedMs)} ms${describe(details)}`, options);
    addDetails(this, details);
  }
}

/**
 * The caller was refused: `maxWaiting` callers were waiting already, or the queue's order found that it had waited too long.
 *
 * @example
 * ```ts
 * import { Semaphore } from 'latchkey';
 *
 * const semaphore = new Semaphore(1, { maxWaiting: 0 });
 * const permit = await semaphore.acquire();
 * const error = await semaphore.acquire().catch((thrown) => thrown);
 * console.log(error.code, error.waiting); // → ERR_QUEUE_FULL 0
 * permit.release();
 * ```
 */
export class QueueFullError extends Error {
  override get name(): string {
    return 'QueueFullError';
  }
  override set name(name: string) {
    define(this, 'name', name, true);
  }
  readonly code = 'ERR_QUEUE_FULL';
  /** The key the caller asked for. Not enumerable. */
  declare readonly key: unknown;
  declare readonly waitedMs: number;
  declare readonly held: number;
  declare readonly waiting: number;
  declare readonly limit: number;
  /** After how many milliseconds the caller may try again, if an order such as `controlledDelay` refused it. */
  declare readonly retryAfterMs?: number;

  constructor(details: WaitDetails, retryAfterMs?: number) {
    super(`too many callers waiting${describe(details)}`);
    addDetails(this, details);
    if (retryAfterMs !== undefined) Object.assign(this, { retryAfterMs });
  }
}

/**
 * The object was closed: it grants nothing after that.
 *
 * @example
 * ```ts
 * import { Mutex } from 'latchkey';
 *
 * const mutex = new Mutex();
 * mutex.close();
 * const error = await mutex.acquire().catch((thrown) => thrown);
 * console.log(error.code, error.message); // → ERR_CLOSED the mutex is closed
 * ```
 */
export class ClosedError extends Error {
  override get name(): string {
    return 'ClosedError';
  }
  override set name(name: string) {
    define(this, 'name', name, true);
  }
  readonly code = 'ERR_CLOSED';

  constructor(what: string) {
    super(`${what} is closed`);
  }
}

/**
 * A connection could not be made; `cause` is what `connect` threw.
 *
 * @example
 * ```ts
 * import { ConnectionPool } from 'latchkey';
 *
 * const refused = () => Promise.reject(new Error('connection refused'));
 * const pool = new ConnectionPool<object>({ connect: refused, close() {} });
 * const error = await pool.acquire().catch((thrown) => thrown);
 * console.log(error.code, error.cause.message); // → ERR_CONNECT connection refused
 * await pool.close();
 * ```
 */
export class ConnectError extends Error {
  override get name(): string {
    return 'ConnectError';
  }
  override set name(name: string) {
    define(this, 'name', name, true);
  }
  readonly code = 'ERR_CONNECT';
  /** The key that was dialled. Not enumerable. */
  declare readonly key: unknown;

  constructor(message: string, details: { key: unknown; cause: unknown }) {
    super(message, { cause: details.cause });
    define(this, 'key', details.key, false);
  }
}

/**
 * An attempt of `retry` took longer than `attemptTimeoutMs`, or than what was left of `totalTimeoutMs`.
 *
 * @example
 * ```ts
 * import { retry } from 'latchkey';
 *
 * const hangs = () => new Promise<never>(() => {});
 * const error = await retry(hangs, { attempts: 1, attemptTimeoutMs: 10 }).catch((thrown) => thrown);
 * console.log(error.code, error.attempt, error.timeoutMs); // → ERR_ATTEMPT_TIMEOUT 1 10
 * ```
 */
export class AttemptTimeoutError extends Error {
  override get name(): string {
    return 'AttemptTimeoutError';
  }
  override set name(name: string) {
    define(this, 'name', name, true);
  }
  readonly code = 'ERR_ATTEMPT_TIMEOUT';
  /** Which attempt it was, counted from 1. */
  readonly attempt: number;
  readonly timeoutMs: number;

  constructor(attempt: number, timeoutMs: number, options?: ErrorOptions) {
    super(`attempt ${attempt} did not end within ${timeoutMs} ms`, options);
    this.attempt = attempt;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * A lock or a connection was lost while it was held: the reason of `lease.signal`.
 *
 * @example
 * ```ts
 * import { LeaseLostError } from 'latchkey';
 *
 * const error = new LeaseLostError('the lock of "job" is lost');
 * console.log(error.code, error.message); // → ERR_LEASE_LOST the lock of "job" is lost
 * ```
 */
export class LeaseLostError extends Error {
  override get name(): string {
    return 'LeaseLostError';
  }
  override set name(name: string) {
    define(this, 'name', name, true);
  }
  readonly code = 'ERR_LEASE_LOST';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
