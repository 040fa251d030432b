/**
 * RedisMutex: one holder at a time for each key, over all processes that use the same Redis. A lock for efficiency: it
 * keeps work from being done twice, most of the time. Where twice would be wrong, fence the writes with `lease.token`,
 * or take `latchkey/postgres`.
 *
 * Invariants: those of LeaseKeeper, and
 *   RM1  Every script names its owner: nobody prolongs or frees what is somebody else's.
 *   RM2  Tokens of a key grow with every grant, also when Redis has lost its data: they are the larger of the last token
 *       plus one and the server's clock in microseconds.
 *   RM3  Only the server's clock decides about expiry in Redis; only the holder's about his deadline.
 *
 * Hand-over: with `subscribe`, the next process is woken when a key is freed; without, it asks again every 25 to 250 ms.
 * Cancel: as LeaseKeeper. Cost: one round trip to acquire, one to release, one each third of `ttlMs` in between.
 * What it is not: safe when Redis fails over to a replica that has not heard of the lock yet, when it evicts keys
 *   (`maxmemory-policy allkeys-*`), or when a holder is paused and writes without a fence. Not Redlock: several masters
 *   cure none of these.
 * Lineage: Redisson's pub/sub wake-up; Kleppmann's fencing.
 */
import { checkFunction, checkObject, checkString } from '../contract/arguments.js';
import type { Awaitable, KeyedLock, KeyLease, WaitOptions } from '../contract/types.js';
import { nameOf } from '../remote-locks/key-name.js';
import type { LeaseAnswer, LeaseEngine, LeaseRequest } from '../remote-locks/lease-engine.js';
import { LeaseKeeper, type LeaseOptions } from '../remote-locks/lease-keeper.js';
import { numbers, RedisCommands, type RedisSend } from './redis-commands.js';

export interface RedisMutexOptions extends LeaseOptions {
  /** Before every key in Redis, and the channel's name. Default 'latchkey'. */
  namespace?: string | undefined;
  /**
   * Listens to a channel on a connection of its own, and calls `listener` with every message. Without it, those who wait
   * ask again every 25 to 250 milliseconds.
   */
  subscribe?: ((channel: string, listener: (message: string) => void) => unknown) | undefined;
}

/** A lost counter must not be forgotten before every holder of an old token is. */
const tokenTtlSeconds = 86_400;

const acquireScript = `
local value = redis.call('GET', KEYS[1])
if value then
  local owner, token = string.match(value, '^(.*)|(%d+)$')
  if owner ~= ARGV[1] then return {0, '0', redis.call('PTTL', KEYS[1])} end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {1, token, 0}
end
local time = redis.call('TIME')
local token = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last >= token then token = last + 1 end
local text = string.format('%.0f', token)
redis.call('SET', KEYS[2], text, 'EX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. text, 'PX', ARGV[2])
return {1, text, 0}`;

const renewScript = `
local value = redis.call('GET', KEYS[1])
if not value or string.match(value, '^(.*)|%d+$') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

const releaseScript = `
local value = redis.call('GET', KEYS[1])
if not value or string.match(value, '^(.*)|%d+$') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`;

export class RedisMutex<K extends string | number | bigint = string> implements KeyedLock<K> {
  readonly #keeper: LeaseKeeper<K>;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(send: RedisSend, options: RedisMutexOptions = {}) {
    checkFunction('send', send);
    checkObject('options', options);
    const { namespace = 'latchkey', subscribe } = options;
    checkString('namespace', namespace);
    if (subscribe !== undefined) checkFunction('subscribe', subscribe);
    this.#keeper = new LeaseKeeper<K>(this, mutexEngine(send, namespace, subscribe), nameOf, options);
  }

  /**
   * Runs `task` while holding `key` and settles as the task does, whatever becomes of the lock meanwhile; `lease.signal`
   * tells the task of a loss.
   *
   * Rejects, and never starts the task, with `signal.reason`, `WaitTimeoutError`, or what `send` rejected with.
   */
  run<T>(key: K, task: (lease: KeyLease<K>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return this.#keeper.run(key, task, options);
  }

  /** Waits for `key`; the lease works with `await using`. Rejects as `run` does. */
  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K>> {
    return this.#keeper.acquire(key, options);
  }

  /** Releases all that this object holds, for a shutdown; resolves when Redis has been told, or could not be. */
  releaseAll(): Promise<void> {
    return this.#keeper.releaseAll();
  }
}

function mutexEngine(
  send: RedisSend,
  namespace: string,
  subscribe: RedisMutexOptions['subscribe'],
): LeaseEngine {
  const redis = new RedisCommands(send);
  const channel = `${namespace}:freed`;
  // The braces keep both keys in one slot of a cluster.
  const lockOf = (key: string) => `{${namespace}:${key}}:lock`;
  const engine: LeaseEngine = {
    async acquire({ key, owner, ttlMs }: LeaseRequest): Promise<LeaseAnswer> {
      const keys = [lockOf(key), `{${namespace}:${key}}:token`];
      const reply = (await redis.run(acquireScript, keys, [owner, ttlMs, tokenTtlSeconds])) as unknown[];
      const [granted, , freeInMs] = numbers(reply) as [number, number, number];
      if (granted === 1) return { token: BigInt(String(reply[1])) };
      // A key without an end is not one of ours, but it may go.
      return { freeInMs: freeInMs < 0 ? Infinity : freeInMs + 1 };
    },
    async renew(key, owner, ttlMs) {
      return Number(await redis.run(renewScript, [lockOf(key)], [owner, ttlMs])) === 1;
    },
    async release(key, owner) {
      return Number(await redis.run(releaseScript, [lockOf(key)], [owner, channel, key])) === 1;
    },
  };
  return subscribe === undefined ? engine : { ...engine, onFreed: wakeUps(channel, subscribe) };
}

/** One subscription, made when it is first needed, for all keys. */
export function wakeUps(
  channel: string,
  subscribe: NonNullable<RedisMutexOptions['subscribe']>,
): NonNullable<LeaseEngine['onFreed']> {
  const listeners = new Map<string, Set<() => void>>();
  let isSubscribed = false;
  return (key, wake) => {
    if (!isSubscribed) {
      isSubscribed = true;
      const failed = () => {
        isSubscribed = false;
      };
      new Promise((resolve) => resolve(subscribe(channel, (freed) => wakeAll(listeners.get(freed))))).catch(
        failed,
      );
    }
    const own = listeners.get(key) ?? new Set();
    listeners.set(key, own.add(wake));
    return () => {
      own.delete(wake);
      if (own.size === 0) listeners.delete(key);
    };
  };
}

function wakeAll(listeners: Iterable<() => void> = []): void {
  for (const wake of [...listeners]) wake();
}
