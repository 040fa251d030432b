/** Errors that only a database causes. Each has a stable `code`. */

/**
 * COMMIT was answered with ROLLBACK: a statement had failed and the task went on as if it had succeeded. Nothing was written.
 *
 * @example
 * ```ts no-run
 * import { RolledBackError, retryTransaction } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const task = (client: pg.PoolClient) => client.query('select 1 / 0').catch(() => 'ignored');
 * const error = await retryTransaction(new pg.Pool(), task as never).catch((reason: unknown) => reason);
 * console.log(error instanceof RolledBackError && error.code); // → ERR_ROLLED_BACK
 * ```
 */
export class RolledBackError extends Error {
  override get name(): string {
    return 'RolledBackError';
  }
  readonly code = 'ERR_ROLLED_BACK';

  constructor() {
    super('the transaction was rolled back: a statement in it failed, and the task ignored the error');
  }
}

/**
 * COMMIT was sent and its answer was lost; `cause` is what the driver reported. The writes may exist or not. It is never
 * retried: look for the writes before you repeat them.
 *
 * @example
 * ```ts no-run
 * import { OutcomeUnknownError, retryTransaction } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const pay = retryTransaction(new pg.Pool(), (client) => client.query('insert into payments values (7)'));
 * const error = await pay.catch((reason) => reason);
 * if (error instanceof OutcomeUnknownError) console.log('look whether payment 7 exists');
 * ```
 */
export class OutcomeUnknownError extends Error {
  override get name(): string {
    return 'OutcomeUnknownError';
  }
  readonly code = 'ERR_OUTCOME_UNKNOWN';

  constructor(cause: unknown) {
    super('COMMIT was sent but not answered: the transaction may have been committed or not', { cause });
  }
}

/**
 * Another writer changed the row in every attempt. `version` is the version that was read last.
 *
 * @example
 * ```ts no-run
 * import { updateVersioned, VersionConflictError } from 'latchkey/postgres';
 *
 * const steps = { read: () => ({ value: 1, version: 7 }), change: (n: number) => n + 1, write: () => 0 };
 * const error = await updateVersioned(steps, { attempts: 1 }).catch((reason) => reason);
 * console.log(error instanceof VersionConflictError, error.version); // → true 7
 * ```
 */
export class VersionConflictError extends Error {
  override get name(): string {
    return 'VersionConflictError';
  }
  readonly code = 'ERR_VERSION_CONFLICT';
  readonly version: unknown;

  constructor(version: unknown) {
    super(`another writer changed the row after version ${String(version)} was read`);
    this.version = version;
  }
}

/**
 * A pooler stands between this process and PostgreSQL, so that a lock of a session could end up with another client.
 *
 * @example
 * ```ts no-run
 * import { PoolerError, PostgresMutex } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const pool = new pg.Pool({ port: 6432 });
 * const error = await new PostgresMutex(pool, { mode: 'session' }).acquire('jobs').catch((reason) => reason);
 * console.log(error instanceof PoolerError, error.code); // → true ERR_POOLER
 * ```
 */
export class PoolerError extends Error {
  override get name(): string {
    return 'PoolerError';
  }
  readonly code = 'ERR_POOLER';

  constructor() {
    super(
      "session locks are not safe behind a connection pooler (pgbouncer in transaction mode?): use { mode: 'leaseTable' } or lockedTransaction(), or { trustPooler: true } if the pooler keeps one server connection per client",
    );
  }
}

/**
 * The pool had no free connection for as long as a lease lasts, so the database could not be asked for the lock.
 *
 * @example
 * ```ts no-run
 * import { NoConnectionError, PostgresMutex } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const pool = new pg.Pool({ max: 1 });
 * await pool.connect();
 * const error = await new PostgresMutex(pool, { mode: 'session' }).acquire('jobs').catch((reason) => reason);
 * console.log(error instanceof NoConnectionError, error.code); // → true ERR_NO_CONNECTION
 * ```
 */
export class NoConnectionError extends Error {
  override get name(): string {
    return 'NoConnectionError';
  }
  readonly code = 'ERR_NO_CONNECTION';

  constructor(why: string) {
    super(why);
  }
}

/**
 * A statement of `getOrCreate` failed inside a transaction without a savepoint, so PostgreSQL refuses the statements after
 * it. Pass `client`, and `create` runs in a savepoint; `cause` is the conflict.
 *
 * @example
 * ```ts no-run
 * import { getOrCreate, isUniqueViolation, SavepointNeededError } from 'latchkey/postgres';
 *
 * const conflict = Object.assign(new Error('duplicate key'), { code: '23505' });
 * const aborted = Object.assign(new Error('current transaction is aborted'), { code: '25P02' });
 * let finds = 0;
 * const find = () => (finds++ === 0 ? undefined : Promise.reject(aborted));
 * const steps = { find, create: () => Promise.reject(conflict), isConflict: isUniqueViolation };
 * const error = await getOrCreate(steps).catch((reason) => reason);
 * console.log(error instanceof SavepointNeededError, error.code); // → true ERR_SAVEPOINT_NEEDED
 * ```
 */
export class SavepointNeededError extends Error {
  override get name(): string {
    return 'SavepointNeededError';
  }
  readonly code = 'ERR_SAVEPOINT_NEEDED';

  constructor(cause: unknown) {
    super(
      'getOrCreate cannot look again: the conflict has aborted the transaction. Pass its client as { client }, so that create runs in a savepoint',
      { cause },
    );
  }
}
