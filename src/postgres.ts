/** Locks across processes, and transactions that retry, on PostgreSQL: `latchkey/postgres`. */

export { type GetOrCreate, getOrCreate } from './postgres/get-or-create.js';
export { leaseTableSchema, type PruneOptions, pruneLeases } from './postgres/lease-table-engine.js';
export { type LockedTransactionOptions, lockedTransaction } from './postgres/locked-transaction.js';
export type { PostgresClient, PostgresPool, PostgresResult } from './postgres/postgres-client.js';
export {
  NoConnectionError,
  OutcomeUnknownError,
  PoolerError,
  RolledBackError,
  SavepointNeededError,
  VersionConflictError,
} from './postgres/postgres-errors.js';
export { PostgresMutex, type PostgresMutexOptions } from './postgres/postgres-mutex.js';
export { PostgresSemaphore, type PostgresSemaphoreOptions } from './postgres/postgres-semaphore.js';
export {
  isLockTimeout,
  isTransactionConflict,
  isUniqueViolation,
  sqlStateOf,
} from './postgres/sql-state.js';
export {
  type Isolation,
  retryTransaction,
  type TransactionOptions,
} from './postgres/transaction.js';
export { updateVersioned, type VersionedUpdate } from './postgres/update-versioned.js';
export type { LeaseOptions } from './remote-locks/lease-options.js';
export type { RemoteMutex, RemoteSemaphore } from './remote-locks/remote-lock.js';
