/** What can go wrong with a database only. Each has a stable `code`. */

/** COMMIT was answered ROLLBACK: a statement had failed, and the task went on as if it had not. Nothing was written. */
export class RolledBackError extends Error {
  override get name(): string {
    return 'RolledBackError';
  }
  readonly code = 'ERR_ROLLED_BACK';

  constructor() {
    super('the transaction was rolled back: a statement in it had failed, and its error was swallowed');
  }
}

/** The connection broke during COMMIT (`cause`): what was written may be there, or not. Look before you do it again. */
export class OutcomeUnknownError extends Error {
  override get name(): string {
    return 'OutcomeUnknownError';
  }
  readonly code = 'ERR_OUTCOME_UNKNOWN';

  constructor(cause: unknown) {
    super('the connection broke during COMMIT: nobody knows whether it was committed', { cause });
  }
}

/** Somebody else has changed the row each time. */
export class VersionConflictError extends Error {
  override get name(): string {
    return 'VersionConflictError';
  }
  readonly code = 'ERR_VERSION_CONFLICT';
  readonly version: unknown;

  constructor(version: unknown) {
    super(`the row was changed by somebody else since version ${String(version)} was read`);
    this.version = version;
  }
}

/** There is a pooler between us and PostgreSQL: a lock of a session would belong to whoever comes next. */
export class PoolerError extends Error {
  override get name(): string {
    return 'PoolerError';
  }
  readonly code = 'ERR_POOLER';

  constructor() {
    super(
      "a pooler (pgbouncer in transaction mode?) stands before PostgreSQL, and locks of a session are not safe there: use { mode: 'leaseTable' } or lockedTransaction()",
    );
  }
}
