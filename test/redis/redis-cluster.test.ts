/** Locks on a Redis Cluster of three nodes, with the clusters of ioredis and redis. */
import { Cluster } from 'ioredis';
import { RedisMutex, RedisSemaphore, type RedisSend } from 'latchkey/redis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pause } from '../remote-locks/support/real-time.js';
import { type RedisCluster, startRedisCluster } from '../support/engines/redis.js';

let cluster: RedisCluster;
const sends = new Map<string, RedisSend>();
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  cluster = await startRedisCluster();
  const { host, port } = cluster.connectionOptions;
  const io = new Cluster([{ host, port }]);
  io.on('error', () => {});
  sends.set('ioredis', ([command = '', ...args]) => io.call(command, ...args));
  const node = createCluster({ rootNodes: [{ url: `redis://${host}:${port}` }] });
  node.on('error', () => {});
  await node.connect();
  sends.set('redis', (args) => node.sendCommand(args[3], false, args));
  ends.push(
    () => io.disconnect(),
    () => node.destroy(),
  );
});
afterAll(async () => {
  for (const end of ends) end();
  await cluster[Symbol.asyncDispose]();
});

describe.each(['ioredis', 'redis'])('the cluster of %s', (name) => {
  test('RE2: keys in all slots, with all kinds of characters: one holder at a time, tokens grow', async () => {
    const [one, other] = [1, 2].map(() => new RedisMutex(sends.get(name)!, { ttlMs: 5_000 })) as [
      RedisMutex,
      RedisMutex,
    ];
    const keys = ['', '}', '{', '{a}', 'a}b', ...Array.from({ length: 15 }, (_, i) => `${name} ${i}`)];
    const inside = new Map<string, number>();
    const last = new Map<string, bigint>();
    const runs = keys.flatMap((key) =>
      [one, other, one, other].map((mutex) =>
        mutex.run(key, async ({ token }) => {
          inside.set(key, (inside.get(key) ?? 0) + 1);
          expect(inside.get(key)).toBe(1);
          expect(token > (last.get(key) ?? 0n)).toBe(true);
          last.set(key, token);
          await pause(1);
          inside.set(key, 0);
        }),
      ),
    );
    expect(await Promise.all(runs)).toHaveLength(80);
  });

  test('a semaphore in a namespace with braces', async () => {
    const options = { name: `${name} places`, namespace: 'a{b}', ttlMs: 5_000 };
    const semaphores = [1, 2].map(() => new RedisSemaphore(sends.get(name)!, 2, options));
    let inside = 0;
    let most = 0;
    const task = async () => {
      most = Math.max(most, ++inside);
      await pause(2);
      inside--;
    };
    await Promise.all(Array.from({ length: 12 }, (_, i) => semaphores[i % 2]!.run(task)));
    expect(most).toBe(2);
  });
});
