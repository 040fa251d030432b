/** Get-or-create without duplicates, for a table whose unique constraint forbids them. */
import { decide, directly } from '../calling/listeners.js';
import { checkFunction, checkObject, ownOptions } from '../contract/arguments.js';
import type { Awaitable } from '../contract/types.js';
import { exponential } from '../retry/backoff.js';
import { type RetryOptions, retry } from '../retry/retry.js';
import type { PostgresClient } from './postgres-client.js';
import { SavepointNeededError } from './postgres-errors.js';
import { sqlStateOf } from './sql-state.js';

/** The steps of `getOrCreate`. */
export interface GetOrCreate<T> {
  /** Reads the row; `undefined` or `null` if there is none. */
  find: () => Awaitable<T | null | undefined>;
  /** Inserts the row and answers it. */
  create: () => Awaitable<T>;
  /** Whether `create` failed because another caller has created the row: see `isUniqueViolation`. */
  isConflict: (error: unknown) => boolean;
  /** The client of the transaction that both steps run in, if they run in one: `create` then runs in a savepoint. */
  client?: Pick<PostgresClient, 'query'> | undefined;
}

const betweenAttempts = exponential({ initialMs: 5, maxMs: 100 });

/**
 * Finds a row, or creates it; when another caller created it first, finds that one. It may be deleted again in between: then
 * it starts again, 3 attempts by default (`attempts`, and the other options of `retry`).
 *
 * Rejects with what `find` or `create` threw, untouched; with the last conflict when the row was neither found nor created;
 * with `SavepointNeededError` inside a transaction whose `client` it was not given.
 *
 * @example
 * ```ts
 * import { getOrCreate, isUniqueViolation } from 'latchkey/postgres';
 *
 * const users = new Map<string, number>();
 * const user = () =>
 *   getOrCreate({
 *     find: () => users.get('ann'),
 *     create: () => users.set('ann', 1).get('ann')!,
 *     isConflict: isUniqueViolation,
 *   });
 * const [first, second] = [await user(), await user()];
 * console.log(first.created, second.created, second.value); // → true false 1
 * ```
 */
export async function getOrCreate<T>(
  steps: GetOrCreate<T>,
  options: RetryOptions = {},
): Promise<{ value: T; created: boolean }> {
  checkObject('steps', steps);
  const { find, create, isConflict, client } = steps;
  checkFunction('find', find);
  checkFunction('create', create);
  checkFunction('isConflict', isConflict);
  if (client !== undefined) {
    checkObject('client', client);
    checkFunction('client.query', client.query);
  }
  const isConflictError = (error: unknown) => decide(directly, 'isConflict', isConflict, error);
  const own = ownOptions(options);
  const { attempts = 3, backoff = betweenAttempts, shouldRetry = isConflictError } = own;
  checkFunction('shouldRetry', shouldRetry);
  const isWorthIt: RetryOptions['shouldRetry'] = (error, context) =>
    !(error instanceof SavepointNeededError) && shouldRetry(error, context);
  const attempt = async () => {
    const found = (await find()) ?? undefined;
    if (found !== undefined) return { value: found, created: false };
    try {
      return { value: await inSavepoint(client, create), created: true };
    } catch (error) {
      if (!isConflictError(error)) throw error;
      const others = (await findAgain(find, error)) ?? undefined;
      if (others === undefined) throw error;
      return { value: others, created: false };
    }
  };
  return retry(attempt, { ...own, attempts, backoff, shouldRetry: isWorthIt });
}

async function inSavepoint<T>(client: GetOrCreate<T>['client'], create: () => Awaitable<T>): Promise<T> {
  if (client === undefined) return create();
  await client.query('savepoint latchkey_create');
  try {
    const value = await create();
    await client.query('release savepoint latchkey_create');
    return value;
  } catch (error) {
    await client.query('rollback to savepoint latchkey_create; release savepoint latchkey_create');
    throw error;
  }
}

/** 25P02: the transaction is aborted, and rejects every other statement in the same way. */
async function findAgain<T>(find: () => Awaitable<T>, conflict: unknown): Promise<T> {
  try {
    return await find();
  } catch (error) {
    throw sqlStateOf(error) === '25P02' ? new SavepointNeededError(conflict) : error;
  }
}
