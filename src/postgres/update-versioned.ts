/** Optimistic locking: read a version, write only if the row still has that version, and start again if it has not. */
import { checkFunction, checkObject, ownOptions } from '../contract/arguments.js';
import type { Awaitable } from '../contract/types.js';
import { exponential } from '../retry/backoff.js';
import { type RetryOptions, retry } from '../retry/retry.js';
import { VersionConflictError } from './postgres-errors.js';

/** The three steps of `updateVersioned`. */
export interface VersionedUpdate<T> {
  /** Reads the row and its version; `undefined` or `null` if there is none. Called again in each attempt. */
  read: () => Awaitable<{ value: T; version: unknown } | null | undefined>;
  /** Answers what the row is to become. It may be called several times, so let it have no side effects. */
  change: (value: T) => Awaitable<T>;
  /** Writes with `update … where version = $version`, and answers how many rows that changed. */
  write: (value: T, version: unknown) => Awaitable<number | null>;
}

const betweenAttempts = exponential({ initialMs: 5, maxMs: 500 });

/**
 * Changes a row that others may change at the same time. Resolves with what was written; `undefined` if there was no row.
 * A counter that many callers change at once is better served by a lock, or by `set n = n + 1`.
 *
 * Options are those of `retry`; `attempts` is 10 by default. Rejects with `VersionConflictError` when another writer was
 * faster in every attempt, or with what a step threw, untouched.
 *
 * @example
 * ```ts
 * import { updateVersioned } from 'latchkey/postgres';
 *
 * const row = { value: 1, version: 1 };
 * const written = await updateVersioned({
 *   read: () => ({ ...row }),
 *   change: (value) => value + 1,
 *   write(value, version) {
 *     if (row.version !== version) return 0;
 *     Object.assign(row, { value, version: row.version + 1 });
 *     return 1;
 *   },
 * });
 * console.log(written, row.version); // → 2 2
 * ```
 */
export async function updateVersioned<T>(
  steps: VersionedUpdate<T>,
  options: RetryOptions = {},
): Promise<T | undefined> {
  checkObject('steps', steps);
  const { read, change, write } = steps;
  checkFunction('read', read);
  checkFunction('change', change);
  checkFunction('write', write);
  const own = ownOptions(options);
  const {
    attempts = 10,
    backoff = betweenAttempts,
    shouldRetry = (error: unknown) => error instanceof VersionConflictError,
  } = own;
  const attempt = async () => {
    const found = (await read()) ?? undefined;
    if (found === undefined) return undefined;
    const value = await change(found.value);
    if ((await write(value, found.version)) === 0) throw new VersionConflictError(found.version);
    return value;
  };
  return retry(attempt, { ...own, attempts, backoff, shouldRetry });
}
