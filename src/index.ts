export {
  AttemptTimeoutError,
  ClosedError,
  ConnectError,
  LeaseLostError,
  QueueFullError,
  type WaitDetails,
  WaitTimeoutError,
} from './contract/errors.js';
export type {
  Awaitable,
  KeyedLock,
  KeyLease,
  Limiter,
  LockOptions,
  LockStats,
  PartitionedWaitOptions,
  Permit,
  WaitOptions,
} from './contract/types.js';
export type { GatherOptions, GatherProgress, GatherResult } from './gather/gather-options.js';
export { type Gathered, gatherSettled } from './gather/gather-settled.js';
export { type GatherStreamOptions, gatherStream } from './gather/gather-stream.js';
export {
  type AdaptivePermit,
  AdaptiveSemaphore,
  type AdaptiveSemaphoreOptions,
  classifyOutcome,
} from './limit/adaptive-semaphore.js';
export { AimdLimit } from './limit/aimd-limit.js';
export { ElasticLimit } from './limit/elastic-limit.js';
export type { LimitAlgorithm, LimitBounds, LimitSample, Outcome } from './limit/limit-algorithm.js';
export { type LittlesLawOptions, littlesLaw } from './limit/littles-law.js';
export { VegasLimit } from './limit/vegas-limit.js';
export { KeyedMutex } from './locks/keyed-mutex.js';
export { Mutex } from './locks/mutex.js';
export {
  Semaphore,
  type SemaphoreOptions,
  type SemaphoreStats,
  type WeightedWaitOptions,
} from './locks/semaphore.js';
export { ConnectionPool } from './pool/connection-pool.js';
export type { CloseReason, ConnectContext, Connector, Lease } from './pool/connector.js';
export type { CloseOptions, ConnectionPoolOptions } from './pool/options.js';
export type { ConnectionPoolEvent, ConnectionPoolStats, KeyStats } from './pool/reports.js';
export {
  type Backoff,
  constant,
  type DecorrelatedOptions,
  decorrelated,
  type ExponentialOptions,
  exponential,
  type Jitter,
} from './retry/backoff.js';
export { type AttemptContext, type RetryOptions, retry } from './retry/retry.js';
export { RetryBudget, type RetryBudgetOptions } from './retry/retry-budget.js';
