/** Get-or-create without duplicates, for a table whose constraint forbids them. */
import { decide, directly } from '../calling/listeners.js';
import { checkFunction, checkObject } from '../contract/arguments.js';
import type { Awaitable } from '../contract/types.js';
import { exponential } from '../retry/backoff.js';
import { type RetryOptions, retry } from '../retry/retry.js';

export interface GetOrCreate<T> {
  /** The row, or `undefined`. */
  find: () => Awaitable<T | undefined>;
  /** Inserts the row. */
  create: () => Awaitable<T>;
  /** Whether `create` failed because somebody else has created it: see `isUniqueViolation`. */
  isConflict: (error: unknown) => boolean;
}

/**
 * Finds, else creates, and when somebody else was faster finds what he has created. That may be gone again: then it
 * begins anew, three times by default (`attempts`, and the other options of `retry`).
 *
 * Rejects with what `find` or `create` threw, untouched; with the last conflict when it was neither found nor created.
 */
export async function getOrCreate<T>(
  steps: GetOrCreate<T>,
  options: RetryOptions = {},
): Promise<{ value: T; created: boolean }> {
  checkObject('steps', steps);
  const { find, create, isConflict } = steps;
  checkFunction('find', find);
  checkFunction('create', create);
  checkFunction('isConflict', isConflict);
  const isConflictError = (error: unknown) => decide(directly, 'isConflict', isConflict, error);
  checkObject('options', options);
  const attempt = async () => {
    const found = await find();
    if (found !== undefined) return { value: found, created: false };
    try {
      return { value: await create(), created: true };
    } catch (error) {
      if (!isConflictError(error)) throw error;
      const others = await find();
      if (others === undefined) throw error;
      return { value: others, created: false };
    }
  };
  return retry(attempt, {
    attempts: 3,
    backoff: exponential({ initialMs: 5, maxMs: 100 }),
    shouldRetry: isConflictError,
    ...options,
  });
}
