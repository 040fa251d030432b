/** What an error of PostgreSQL means, by its SQLSTATE: messages are translated, codes are not. */

/** Query builders wrap what the driver threw, some of them more than once. */
const deepestCause = 10;

/** The error itself and its causes, from the outside in. */
function* chainOf(error: unknown): Generator<object> {
  let link = error;
  for (let depth = 0; depth < deepestCause && typeof link === 'object' && link !== null; depth++) {
    yield link;
    link = (link as { cause?: unknown }).cause;
  }
}

/** Five characters, of which one is a digit: codes of the system such as EPIPE have none. */
const sqlState = /^(?=.*\d)[0-9A-Z]{5}$/;

/** The first error of the chain that has an SQLSTATE. */
function serverErrorOf(error: unknown): { code: string; constraint?: unknown } | undefined {
  for (const link of chainOf(error)) {
    const { code } = link as { code?: unknown };
    if (typeof code === 'string' && sqlState.test(code)) return link as { code: string };
  }
  return undefined;
}

/**
 * The SQLSTATE of an error, five characters. It is also found when a query builder has wrapped the error (`cause`).
 * `undefined` for an error that does not come from the server.
 *
 * @example
 * ```ts
 * import { sqlStateOf } from 'latchkey/postgres';
 *
 * const wrapped = new Error('Failed query', { cause: { code: '40001' } });
 * console.log(sqlStateOf(wrapped), sqlStateOf({ code: 'EPIPE' })); // → 40001 undefined
 * ```
 */
export function sqlStateOf(error: unknown): string | undefined {
  return serverErrorOf(error)?.code;
}

/**
 * Whether PostgreSQL aborted the transaction in favour of another one, so that it may succeed when it is run again as a whole:
 * 40001 (serialization failure) and 40P01 (deadlock).
 *
 * @example
 * ```ts
 * import { isTransactionConflict } from 'latchkey/postgres';
 *
 * console.log(isTransactionConflict({ code: '40P01' }), isTransactionConflict({ code: '23505' })); // → true false
 * ```
 */
export function isTransactionConflict(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === '40001' || state === '40P01';
}

/**
 * Whether a unique constraint was violated (23505). Name the constraint: a violation of another one is another mistake.
 *
 * @example
 * ```ts
 * import { isUniqueViolation } from 'latchkey/postgres';
 *
 * const error = { code: '23505', constraint: 'users_email_key' };
 * console.log(isUniqueViolation(error, 'users_email_key'), isUniqueViolation(error, 'users_name_key')); // → true false
 * ```
 */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const found = serverErrorOf(error);
  if (found?.code !== '23505') return false;
  return constraint === undefined || found.constraint === constraint;
}

/**
 * Whether a wait for a lock of PostgreSQL took longer than `lock_timeout` (55P03).
 *
 * @example
 * ```ts
 * import { isLockTimeout } from 'latchkey/postgres';
 *
 * console.log(isLockTimeout({ code: '55P03' })); // → true
 * ```
 */
export function isLockTimeout(error: unknown): boolean {
  return sqlStateOf(error) === '55P03';
}
