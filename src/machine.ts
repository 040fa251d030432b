/** Locks among the processes and threads of one machine, without a server: `latchkey/machine`. */

export type { MachineLockOptions } from './machine/machine-engine.js';
export { MachineMutex } from './machine/machine-mutex.js';
export { MachineSemaphore, type MachineSemaphoreOptions } from './machine/machine-semaphore.js';
