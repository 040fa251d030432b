/** Optimistic locking: read a version, write only if it is still that version, and begin anew if it is not. */
import { checkFunction, checkObject } from '../contract/arguments.js';
import type { Awaitable } from '../contract/types.js';
import { exponential } from '../retry/backoff.js';
import { type RetryOptions, retry } from '../retry/retry.js';
import { VersionConflictError } from './postgres-errors.js';

export interface VersionedUpdate<T> {
  /** The row and its version, or `undefined` if there is none. Read again in each attempt. */
  read: () => Awaitable<{ value: T; version: unknown } | undefined>;
  /** What it is to become: pure, since it may be asked for several times. */
  change: (value: T) => Awaitable<T>;
  /** `update … where version = $version`: how many rows that was. */
  write: (value: T, version: unknown) => Awaitable<number | null>;
}

/**
 * Resolves with what was written; `undefined` if there was no row. A counter that many change at once is better served by a
 * lock, or by `set n = n + 1`.
 *
 * Rejects with `VersionConflictError` when somebody else was faster each time: ten times by default (`attempts`, and the
 * other options of `retry`); or with what the functions threw, untouched.
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
  checkObject('options', options);
  const attempt = async () => {
    const found = await read();
    if (found === undefined) return undefined;
    const value = await change(found.value);
    if ((await write(value, found.version)) === 0) throw new VersionConflictError(found.version);
    return value;
  };
  return retry(attempt, {
    attempts: 10,
    backoff: exponential({ initialMs: 5, maxMs: 500 }),
    shouldRetry: (error) => error instanceof VersionConflictError,
    ...options,
  });
}
