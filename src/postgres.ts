/** Locks across processes, and transactions that retry, on PostgreSQL: `latchkey/postgres`. */
export {
  OutcomeUnknownError,
  PoolerError,
  RolledBackError,
  VersionConflictError,
} from './distributed/distributed-errors.js';
export { type GetOrCreate, getOrCreate } from './distributed/get-or-create.js';
export type { LeaseTerms } from './distributed/lease-keeper.js';
export { leaseTableSchema } from './distributed/lease-table-engine.js';
export type { PostgresClient, PostgresPool, PostgresResult } from './distributed/postgres-client.js';
export { PostgresMutex, type PostgresMutexOptions } from './distributed/postgres-mutex.js';
export { PostgresSemaphore, type PostgresSemaphoreOptions } from './distributed/postgres-semaphore.js';
export {
  isLockTimeout,
  isTransactionConflict,
  isUniqueViolation,
  sqlStateOf,
} from './distributed/sql-state.js';
export {
  type Isolation,
  type LockedTransactionOptions,
  lockedTransaction,
  retryTransaction,
  type TransactionOptions,
} from './distributed/transaction.js';
export { updateVersioned, type VersionedUpdate } from './distributed/update-versioned.js';
