/**
 * RedisSemaphore: at most `limit` holders at a time, over all processes that use the same Redis.
 *
 * Invariants: those of LeaseKeeper and of RedisEngine (RE), and
 *   RS1  At most `limit` owners are in the sorted set whose end has not come by the server's clock.
 *   RS2  No owner renews or frees the place of another one; a place that was lost is never taken back by a renewal.
 *   RS3  Tokens grow with every grant of a place, also when Redis has lost its data.
 *
 * Hand-over: first come, first served within a process; between processes the first that asks.
 * Cancel, Cost: as RedisMutex. What it is not: exact while Redis fails over.
 * Lineage: the sorted-set semaphore of Carlson's Redis in Action, with the server's clock instead of the clients'.
 */
import { checkFunction, checkOptions, type OptionNames, ownOptions } from '../contract/arguments.js';
import { checkName } from '../remote-locks/key-name.js';
import { checkPlaces, leaseOptionsOf } from '../remote-locks/lease-options.js';
import { RemoteSemaphore } from '../remote-locks/remote-lock.js';
import type { RedisSend } from './redis-commands.js';
import { type RedisMutexOptions, redisEngine, redisOptionNames } from './redis-mutex.js';

/** Options of `RedisSemaphore`. */
export interface RedisSemaphoreOptions extends RedisMutexOptions {
  /** Semaphores of one name share their places. */
  name: string;
}

const optionNames: OptionNames<RedisSemaphoreOptions> = { ...redisOptionNames, name: true };

/**
 * At most `limit` holders at a time, over all processes that use the same Redis and name.
 *
 * @example
 * ```ts no-run
 * import { RedisSemaphore } from 'latchkey/redis';
 * import { createClient } from 'redis';
 *
 * const client = await createClient().connect();
 * const semaphore = new RedisSemaphore((args) => client.sendCommand(args), 5, { name: 'reports' });
 * console.log(await semaphore.run(() => 'one of five')); // → one of five
 * ```
 */
export class RedisSemaphore extends RemoteSemaphore {
  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(send: RedisSend, limit: number, options: RedisSemaphoreOptions) {
    checkFunction('send', send);
    checkPlaces(limit);
    const own = ownOptions(options);
    checkOptions(own, optionNames);
    checkName('name', own.name);
    super(redisEngine(send, own, 'semaphore', limit), limit, own.name, leaseOptionsOf(own));
  }
}
