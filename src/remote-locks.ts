/** Locks across processes on a database of your own: `latchkey/remote-locks`. */

export type { LeaseAnswer, LeaseEngine, LeaseHolder, LeaseRequest } from './remote-locks/lease-engine.js';
export type { LeaseOptions } from './remote-locks/lease-options.js';
export { RemoteMutex, RemoteSemaphore } from './remote-locks/remote-lock.js';
