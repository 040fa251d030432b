/** Locks across processes on Redis: `latchkey/redis`. */
export type { LeaseTerms } from './distributed/lease-keeper.js';
export type { RedisSend } from './distributed/redis-commands.js';
export { RedisMutex, type RedisMutexOptions } from './distributed/redis-mutex.js';
export { RedisSemaphore, type RedisSemaphoreOptions } from './distributed/redis-semaphore.js';
