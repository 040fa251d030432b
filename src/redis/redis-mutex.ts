/**
 * RedisMutex: one holder at a time for each key, over all processes that use the same Redis. A lock for efficiency: it keeps
 * work from being done twice, most of the time. Where a second run would be wrong, fence the writes with `lease.token`, or use
 * `latchkey/postgres`.
 *
 * Invariants: those of LeaseKeeper and of RedisEngine (RE), and
 *   RM1  Every script names its owner: no owner renews or frees the lock of another one.
 *   RM2  Tokens of a key grow with every grant, also when Redis has lost its data: they are the larger of the last token
 *        plus one and the server's clock in microseconds.
 *   RM3  Only the server's clock decides about expiry in Redis; only the holder's clocks about its deadline.
 *
 * Hand-over: with `subscribe`, a waiter in another process is woken when a key is freed. It also asks again after 25 to 250 ms.
 * Cancel: as LeaseKeeper.
 * Cost: one round trip to acquire, one to release, one for each third of `ttlMs` in between.
 * What it is not: safe when Redis fails over to a replica that has not heard of the lock yet, when it evicts keys
 *   (`maxmemory-policy allkeys-*`), when its clock steps forward, or when a holder is paused and writes without a fence. It
 *   is not Redlock: several independent servers prevent none of these.
 * Lineage: Redisson's pub/sub wake-up; Kleppmann's fencing.
 */
import { checkFunction, checkOptions, type OptionNames, ownOptions } from '../contract/arguments.js';
import { checkName } from '../remote-locks/key-name.js';
import { type LeaseOptions, leaseOptionNames, leaseOptionsOf } from '../remote-locks/lease-options.js';
import { RemoteMutex } from '../remote-locks/remote-lock.js';
import type { RedisSend } from './redis-commands.js';
import { RedisEngine, type RedisSubscribe } from './redis-engine.js';

/** Options of `RedisMutex`. */
export interface RedisMutexOptions extends LeaseOptions {
  /** The beginning of every key and of the channel in Redis. Keys of different namespaces are different locks. Default 'latchkey'. */
  namespace?: string | undefined;
  /** Wakes waiters when a key is freed. Without it they ask again after 25 to 250 ms. It needs a connection of its own. */
  subscribe?: RedisSubscribe | undefined;
}

export const redisOptionNames: OptionNames<RedisMutexOptions> = {
  ...leaseOptionNames,
  namespace: true,
  subscribe: true,
};

/** @throws TypeError or RangeError that names the option and the value. */
export function redisEngine(
  send: RedisSend,
  options: RedisMutexOptions,
  kind: 'mutex' | 'semaphore',
  places = 1,
): RedisEngine {
  const { namespace = 'latchkey', subscribe } = options;
  checkName('namespace', namespace);
  if (subscribe !== undefined) checkFunction('subscribe', subscribe);
  return new RedisEngine(send, { kind, namespace, subscribe, places });
}

/**
 * One holder at a time for each key, over all processes that use the same Redis: an efficiency lock with fencing tokens.
 *
 * @example
 * ```ts no-run
 * import { RedisMutex } from 'latchkey/redis';
 * import { createClient } from 'redis';
 *
 * const client = await createClient().connect();
 * const subscriber = await client.duplicate().connect();
 * const mutex = new RedisMutex((args) => client.sendCommand(args), {
 *   subscribe: (channel, listener) => subscriber.subscribe(channel, listener),
 * });
 * console.log(await mutex.run('prices', () => 'rebuilt once')); // → rebuilt once
 * ```
 */
export class RedisMutex<K extends string | number | bigint = string> extends RemoteMutex<K> {
  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(send: RedisSend, options: RedisMutexOptions = {}) {
    checkFunction('send', send);
    const own = ownOptions(options);
    checkOptions(own, redisOptionNames);
    super(redisEngine(send, own, 'mutex'), leaseOptionsOf(own));
  }
}
