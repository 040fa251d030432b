/**
 * `latchkey/diagnostics`: what the package publishes on `node:diagnostics_channel`. Subscribe to a channel by its
 * name, and the primitives begin to publish. Without subscribers the only cost is one check.
 */

export { channelNames } from './contract/channel-names.js';
export type { EventLoopBlockMessage } from './event-loop/monitor.js';
export type { GatherMessage } from './gather/lanes.js';
export type { LimitMessage } from './limit/adaptive-semaphore.js';
export type { PoolEventMessage, PoolReleaseMessage } from './pool/hooks.js';
export type { PoolAcquireMessage } from './pool/lease-watch.js';
export type { OverflowMessage } from './queue/overflow-alert.js';
export type { LeaseLostMessage } from './remote-locks/remote-lease.js';
export type { RetryMessage } from './retry/retry.js';
export { type ErrorFacts, exposeKeys } from './runtime/channels.js';
export type { WaitMessage } from './waiting/wait-queue.js';
