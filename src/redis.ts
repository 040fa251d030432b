/** Locks across processes on Redis: `latchkey/redis`. */

export type { RedisSend } from './redis/redis-commands.js';
export type { RedisSubscribe } from './redis/redis-engine.js';
export { RedisMutex, type RedisMutexOptions } from './redis/redis-mutex.js';
export { RedisSemaphore, type RedisSemaphoreOptions } from './redis/redis-semaphore.js';
export type { LeaseOptions } from './remote-locks/lease-options.js';
export type { RemoteMutex, RemoteSemaphore } from './remote-locks/remote-lock.js';
