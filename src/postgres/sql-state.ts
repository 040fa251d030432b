/** What an error of PostgreSQL means, by its SQLSTATE: messages are translated, codes are not. */

/** The five characters of the SQLSTATE; `undefined` for an error that is not the server's. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** 40001 and 40P01: the transaction was sacrificed for others, and may succeed when it is run again, whole. */
export function isTransactionConflict(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === '40001' || state === '40P01';
}

/**
 * 23505, of that constraint if one is named. Name it: another constraint of the same table means another mistake.
 */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlStateOf(error) !== '23505') return false;
  return constraint === undefined || (error as { constraint?: unknown }).constraint === constraint;
}

/** 55P03: `lock_timeout` was over. */
export function isLockTimeout(error: unknown): boolean {
  return sqlStateOf(error) === '55P03';
}
