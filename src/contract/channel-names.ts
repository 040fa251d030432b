/**
 * The names of the channels. `wait` and `poolAcquire` are tracing channels: see `tracingChannel` of
 * `node:diagnostics_channel`.
 *
 * @example
 * ```ts
 * import { channelNames } from 'latchkey/diagnostics';
 *
 * console.log(channelNames.wait); // → latchkey:wait
 * ```
 */
export const channelNames = {
  /** `WaitMessage`: a caller has to wait for a lock, for room in a queue, or for a call that others share. */
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
