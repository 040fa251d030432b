/**
 * RedisSemaphore: so many at a time, over all processes that use the same Redis.
 *
 * Invariants: those of LeaseKeeper, and
 *   RS1  At most `limit` owners stand in the sorted set whose end has not come by the server's clock.
 *   RS2  Nobody prolongs or frees what is somebody else's; a place that was lost is never taken again by a renewal.
 *
 * Hand-over: first come, first served within a process; between processes whoever asks first.
 * Cancel, Cost: as RedisMutex. What it is not: exact while Redis fails over. Lineage: the sorted-set semaphore of
 * Carlson's Redis in Action, with the server's clock in place of the clients'.
 */
import { checkFunction, checkObject, checkString } from '../contract/arguments.js';
import type { Awaitable, KeyLease, Limiter, WaitOptions } from '../contract/types.js';
import type { LeaseAnswer, LeaseEngine, LeaseRequest } from '../remote-locks/lease-engine.js';
import { checkPlaces, LeaseKeeper } from '../remote-locks/lease-keeper.js';
import { numbers, RedisCommands, type RedisSend } from './redis-commands.js';
import { type RedisMutexOptions, wakeUps } from './redis-mutex.js';

export interface RedisSemaphoreOptions extends RedisMutexOptions {
  /** Semaphores of one name share their places. */
  name: string;
}

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)`;

const acquireScript = `${clock}
local place = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not place and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {0, '0', first[2] - now}
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
return {1, redis.call('INCR', KEYS[2]), 0}`;

const renewScript = `${clock}
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
return 1`;

const releaseScript = `
local freed = redis.call('ZREM', KEYS[1], ARGV[1])
if freed == 1 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return freed`;

export class RedisSemaphore implements Limiter {
  readonly #keeper: LeaseKeeper<string>;
  readonly #name: string;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(send: RedisSend, limit: number, options: RedisSemaphoreOptions) {
    checkFunction('send', send);
    checkPlaces(limit);
    checkObject('options', options);
    const { name, namespace = 'latchkey', subscribe } = options;
    checkString('name', name);
    checkString('namespace', namespace);
    if (subscribe !== undefined) checkFunction('subscribe', subscribe);
    this.#name = name;
    const engine = semaphoreEngine(send, limit, namespace, subscribe);
    this.#keeper = new LeaseKeeper(this, engine, String, options, limit);
  }

  /** Runs `task` in one of the places; settles as the task does. Rejects as `RedisMutex.run` does. */
  run<T>(task: (lease: KeyLease<string>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return this.#keeper.run(this.#name, task, options);
  }

  /** Waits for a place; the lease works with `await using`. */
  acquire(options?: WaitOptions): Promise<KeyLease<string>> {
    return this.#keeper.acquire(this.#name, options);
  }

  /** Gives back all places that this object holds, for a shutdown. */
  releaseAll(): Promise<void> {
    return this.#keeper.releaseAll();
  }
}

function semaphoreEngine(
  send: RedisSend,
  limit: number,
  namespace: string,
  subscribe: RedisMutexOptions['subscribe'],
): LeaseEngine {
  const redis = new RedisCommands(send);
  const channel = `${namespace}:freed`;
  const placesOf = (key: string) => `{${namespace}:${key}}:places`;
  const engine: LeaseEngine = {
    async acquire({ key, owner, ttlMs }: LeaseRequest): Promise<LeaseAnswer> {
      const keys = [placesOf(key), `{${namespace}:${key}}:grants`];
      const reply = (await redis.run(acquireScript, keys, [owner, ttlMs, limit])) as unknown[];
      const [granted, , freeInMs] = numbers(reply) as [number, number, number];
      return granted === 1 ? { token: BigInt(String(reply[1])) } : { freeInMs: freeInMs + 1 };
    },
    async renew(key, owner, ttlMs) {
      return Number(await redis.run(renewScript, [placesOf(key)], [owner, ttlMs])) === 1;
    },
    async release(key, owner) {
      return Number(await redis.run(releaseScript, [placesOf(key)], [owner, channel, key])) === 1;
    },
  };
  return subscribe === undefined ? engine : { ...engine, onFreed: wakeUps(channel, subscribe) };
}
