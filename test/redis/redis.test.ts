/** Locks on a real Redis, with ioredis and redis; and what happens when Redis fails. */
import { WaitTimeoutError } from 'latchkey';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oneAtATime } from '../remote-locks/support/one-at-a-time.js';
import { lossOf, lossReasons, pause } from '../remote-locks/support/real-time.js';
import {
  ioredisClients,
  nodeRedisClients,
  type RedisClients,
} from '../remote-locks/support/redis-clients.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';

let server: RedisServer;
const clients = new Map<string, RedisClients>();
let keys = 0;
const newKey = () => `key ${++keys}`;

beforeAll(async () => {
  server = await startRedis();
  clients.set('ioredis', ioredisClients(server.connectionOptions));
  clients.set('redis', await nodeRedisClients(server.connectionOptions));
});
afterAll(async () => {
  for (const client of clients.values()) await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** To Redis, two objects are two processes. */
function mutexes(client: string, options: { ttlMs?: number; wakeUps?: boolean } = {}) {
  const { send, subscribe } = clients.get(client)!;
  const { ttlMs = 2_000, wakeUps = true } = options;
  return [1, 2].map(() => new RedisMutex(send, { ttlMs, ...(wakeUps && { subscribe }) })) as [
    RedisMutex,
    RedisMutex,
  ];
}

describe.each(['ioredis', 'redis'])('redis mutex over %s', (client) => {
  test.each([true, false])(
    'one at a time over all objects, wake-ups: %s; tokens grow with every grant',
    async (wakeUps) => {
      const [one, other] = mutexes(client, { wakeUps });
      await oneAtATime(one, other, newKey());
    },
  );

  test('a waiter of another process is woken by the release, long before the lease would have ended', async () => {
    const [one, other] = mutexes(client, { ttlMs: 20_000 });
    const key = newKey();
    const lease = await one.acquire(key);
    const wait = other.acquire(key);
    await pause(300);
    const startedMs = performance.now();
    await lease.release();
    await (await wait).release();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  test('RM1, RM2: tokens grow although Redis has lost its data and its scripts, and the former holder frees nothing', async () => {
    const [one, other] = mutexes(client);
    const key = newKey();
    const { send } = clients.get(client)!;
    const first = await one.acquire(key);
    await send(['FLUSHALL']);
    await send(['SCRIPT', 'FLUSH']);
    const second = await other.acquire(key);
    expect(second.token).toBeGreaterThan(first.token);
    await first.release();
    // The first holder has lost the lock, and its release did not free the lock of the second.
    await expect(one.acquire(key, { waitTimeoutMs: 100 })).rejects.toBeInstanceOf(WaitTimeoutError);
    await second.release();
  });

  test('an abort rejects with its reason and leaves nothing behind in Redis', async () => {
    const [one, other] = mutexes(client);
    const key = newKey();
    const lease = await one.acquire(key);
    const controller = new AbortController();
    const wait = other.acquire(key, { signal: controller.signal });
    setTimeout(() => controller.abort('enough'), 20);
    await expect(wait).rejects.toBe('enough');
    await lease.release();
    await pause(50);
    expect(await clients.get(client)!.send(['EXISTS', `latchkey:{mutex:${key}}:lock`])).toBe(0);
  });

  test('the result or error of the task passes through, and the key is free afterwards', async () => {
    const [one, other] = mutexes(client);
    const key = newKey();
    const failure = new Error('of the task');
    expect(await one.run(key, () => 7)).toBe(7);
    await expect(one.run(key, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await other.run(key, () => 8)).toBe(8);
  });
});

describe('redis mutex: faults', () => {
  test('a key that was deleted is a loss by a third of the time to live', async () => {
    const [one] = mutexes('ioredis', { ttlMs: 1_000 });
    const key = newKey();
    const lease = await one.acquire(key);
    await clients.get('ioredis')!.send(['DEL', `latchkey:{mutex:${key}}:lock`]);
    expect(await lossOf(lease.signal)).toContain(lossReasons.renewal);
  });

  test('RM3: a Redis that is frozen for four seconds is a loss before the lease ends, and the result is kept', async () => {
    const [one, other] = mutexes('ioredis', { ttlMs: 1_000 });
    const key = newKey();
    const frozen = pause(4_000);
    const run = one.run(key, async (lease) => {
      server.freeze();
      expect(await lossOf(lease.signal, 1_100)).toContain(lossReasons.deadline);
      return 'RESULT';
    });
    await expect(run).resolves.toBe('RESULT');
    await frozen;
    server.thaw();
    expect(await other.run(key, () => 'next')).toBe('next');
  });

  test('after a blocked event loop the signal shows the loss before anything else runs', async () => {
    const [one] = mutexes('ioredis', { ttlMs: 1_000 });
    const lease = await one.acquire(newKey());
    const untilMs = performance.now() + 1_500;
    while (performance.now() < untilMs);
    expect(lease.signal.aborted).toBe(true);
    await lease.release();
  });

  test('LK5: a Redis that is frozen is an error of twenty waiters of one key, all of them within one time to live', async () => {
    const [one, other] = mutexes('ioredis', { ttlMs: 1_000 });
    const key = newKey();
    const lease = await one.acquire(key);
    const told: number[] = [];
    const waits = Array.from({ length: 20 }, () =>
      other.acquire(key).catch(() => told.push(performance.now())),
    );
    await pause(100);
    server.freeze();
    const startedMs = performance.now();
    await Promise.all(waits);
    server.thaw();
    expect(told).toHaveLength(20);
    // All at once, after one time to live. One after the other would take twenty.
    expect(told.at(-1)! - startedMs).toBeLessThan(10_000);
    await lease.release();
  });

  test('a Redis that is down is an error of the callers, until it is back', async () => {
    await using gone = await startRedis();
    await using client = ioredisClients(gone.connectionOptions);
    const mutex = new RedisMutex(client.send, { ttlMs: 500 });
    await mutex.run('key', () => {});
    await gone.stop();
    await expect(mutex.acquire('key')).rejects.toThrow();
    await gone.start();
    for (let tries = 0; ; tries++) {
      const value = await mutex.run('key', () => 'back').catch(() => undefined);
      if (value === 'back') break;
      expect(tries).toBeLessThan(100);
      await pause(50);
    }
  });

  test('a fenced register keeps out a holder that was paused; without a fence the same run overwrites', async () => {
    const [slow, quick] = mutexes('ioredis', { ttlMs: 300 });
    const key = newKey();
    const fenced = { value: '', fence: 0n };
    const unfenced = { value: '' };
    const write = (value: string, token: bigint) => {
      unfenced.value = value;
      if (token >= fenced.fence) Object.assign(fenced, { value, fence: token });
    };
    const paused = await slow.acquire(key);
    const untilMs = performance.now() + 500;
    while (performance.now() < untilMs);
    const next = await quick.acquire(key);
    write('new', next.token);
    write('old', paused.token);
    expect(unfenced.value).toBe('old');
    expect(fenced.value).toBe('new');
    await next.release();
  });

  test('bad arguments are refused by name', async () => {
    const { send } = clients.get('ioredis')!;
    expect(() => new RedisMutex('send' as never)).toThrow('send');
    expect(() => new RedisMutex(send, { ttlMs: 1 })).toThrow('ttlMs');
    expect(() => new RedisMutex(send, { subscribe: true as never })).toThrow('subscribe');
    expect(() => new RedisSemaphore(send, 0, { name: 'a' })).toThrow('limit');
    expect(() => new RedisSemaphore(send, Infinity, { name: 'a' })).toThrow('limit must be finite');
    expect(() => new RedisSemaphore(send, 1, {} as never)).toThrow('name');
    await expect(new RedisMutex(send).acquire({} as never)).rejects.toThrow('key');
  });
});

describe.each(['ioredis', 'redis'])('redis semaphore over %s', (client) => {
  test.each([true, false])(
    'RS1: at most three at a time over all objects, and all of them in the end; wake-ups: %s',
    async (wakeUps) => {
      const { send, subscribe } = clients.get(client)!;
      const name = newKey();
      const options = { name, ttlMs: 2_000, ...(wakeUps && { subscribe }) };
      const [one, other] = [1, 2].map(() => new RedisSemaphore(send, 3, options)) as [
        RedisSemaphore,
        RedisSemaphore,
      ];
      let inside = 0;
      let most = 0;
      const task = async () => {
        most = Math.max(most, ++inside);
        await pause(2);
        inside--;
      };
      await Promise.all(Array.from({ length: 30 }, (_, i) => (i % 2 ? one : other).run(task)));
      expect(most).toBe(3);
      await Promise.all([one.releaseAll(), other.releaseAll()]);
      expect(await send(['ZCARD', `latchkey:{semaphore:${name}}:places`])).toBe(0);
    },
  );

  test('RS1: the place of a process that died is free after its time to live', async () => {
    const { send } = clients.get(client)!;
    const name = newKey();
    const now = Date.now();
    await send(['ZADD', `latchkey:{semaphore:${name}}:places`, String(now + 300), 'dead']);
    const semaphore = new RedisSemaphore(send, 1, { name, ttlMs: 1_000 });
    await semaphore.run(() => {});
    expect(Date.now() - now).toBeGreaterThanOrEqual(290);
  });
});
