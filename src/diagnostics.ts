/**
 * What the package tells through `node:diagnostics_channel`: `latchkey/diagnostics`. There is nothing to switch on: subscribe
 * to a channel by its name, and the primitives begin to publish; as long as nobody does, they only ask whether somebody does.
 */
export type { LimitMessage } from './adaptive-semaphore.js';
export { exposeKeys } from './channels.js';
export type { LeaseLostMessage } from './distributed/remote-lease.js';
export type { EventLoopBlockMessage } from './event-loop/monitor.js';
export type { GatherMessage } from './gather-settled.js';
export type { PoolAcquireMessage } from './pool/connection-pool.js';
export type { PoolEventMessage, PoolReleaseMessage } from './pool/hooks.js';
export type { OverflowMessage } from './queue/overflow-alert.js';
export type { RetryMessage } from './retry.js';
export type { WaitMessage } from './wait-queue.js';

/** The names of the channels. `wait` and `poolAcquire` are tracing channels: see `tracingChannel` of the module. */
export const channelNames = {
  /** `WaitMessage`: a caller has to wait for a lock, for a place, or for a call that others share. */
  wait: 'latchkey:wait',
  /** `PoolAcquireMessage`: every acquire of a pool. */
  poolAcquire: 'latchkey:pool:acquire',
  /** `PoolReleaseMessage` */
  poolRelease: 'latchkey:pool:release',
  /** `PoolEventMessage` */
  poolEvent: 'latchkey:pool:event',
  /** `LimitMessage` */
  limit: 'latchkey:limit',
  /** `RetryMessage` */
  retry: 'latchkey:retry',
  /** `GatherMessage` */
  gather: 'latchkey:gather',
  /** `OverflowMessage` */
  queueOverflow: 'latchkey:queue:overflow',
  /** `LeaseLostMessage` */
  leaseLost: 'latchkey:lease:lost',
  /** `EventLoopBlockMessage` */
  eventLoopBlock: 'latchkey:event-loop:block',
} as const;
