export {
  type AdaptivePermit,
  AdaptiveSemaphore,
  type AdaptiveSemaphoreOptions,
  classifyOutcome,
} from './adaptive-semaphore.js';
export {
  type Backoff,
  constant,
  type DecorrelatedOptions,
  decorrelated,
  type ExponentialOptions,
  exponential,
  type Jitter,
} from './backoff.js';
export {
  AttemptTimeoutError,
  ClosedError,
  ConnectError,
  LeaseLostError,
  QueueFullError,
  type WaitDetails,
  WaitTimeoutError,
} from './errors.js';
export {
  type Gathered,
  type GatherOptions,
  type GatherProgress,
  type GatherResult,
  gatherSettled,
} from './gather-settled.js';
export { KeyedMutex } from './keyed-mutex.js';
export { AimdLimit } from './limit/aimd-limit.js';
export { ElasticLimit } from './limit/elastic-limit.js';
export type { LimitAlgorithm, LimitBounds, LimitSample, Outcome } from './limit/limit-algorithm.js';
export { type LittlesLawOptions, littlesLaw } from './limit/littles-law.js';
export { VegasLimit } from './limit/vegas-limit.js';
export { Mutex } from './mutex.js';
export { ConnectionPool } from './pool/connection-pool.js';
export type {
  CloseReason,
  ConnectContext,
  ConnectionPoolEvent,
  ConnectionPoolOptions,
  ConnectionPoolStats,
  Connector,
  Lease,
} from './pool/connector.js';
export { type AttemptContext, type RetryOptions, retry } from './retry.js';
export { RetryBudget, type RetryBudgetOptions } from './retry-budget.js';
export {
  Semaphore,
  type SemaphoreOptions,
  type SemaphoreStats,
  type WeightedWaitOptions,
} from './semaphore.js';
export type { Awaitable, KeyedLock, KeyLease, Limiter, Permit, WaitOptions } from './vocabulary.js';
