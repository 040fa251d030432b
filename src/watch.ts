/** Reports what hangs: deadlocks, orders that could deadlock, permits that are held for too long or lost: `latchkey/watch`. */
export { DeadlockError, type DeadlockStep, type WatchReport } from './watch/report.js';
export type { HeldEntry, WaitingEntry, WatchSnapshot } from './watch/snapshot.js';
export { type Watcher, type WatchOptions, watch } from './watch/watch.js';
