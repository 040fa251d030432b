/** Measures how long the event loop is blocked, and slices long work: `latchkey/event-loop`. */
export type { BlockCause } from './event-loop/block-cause.js';
export type { EventLoopStats } from './event-loop/lateness.js';
export {
  type EventLoopBlock,
  type EventLoopMonitor,
  type EventLoopMonitorOptions,
  monitorEventLoop,
} from './event-loop/monitor.js';
export { yieldEvery } from './event-loop/yield-every.js';
