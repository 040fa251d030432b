/** The recipe for a cache that several replicas share, with a real Redis that is cache and lock. */
import { Redis } from 'ioredis';
import { RedisMutex } from 'latchkey/redis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SharedCache, type Store } from '../../docs/recipes/cache-refresh.js';
import { cached } from '../../docs/recipes/naive/cache-refresh.js';
import { pause } from '../remote-locks/support/real-time.js';
import { ioredisClients, type RedisClients } from '../remote-locks/support/redis-clients.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';

let server: RedisServer;
let redis: Redis;
let clients: RedisClients;
let store: Store;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.connectionOptions);
  redis.on('error', () => {});
  clients = ioredisClients(server.connectionOptions);
  store = { get: (key) => redis.get(key), set: (key, value) => redis.set(key, value, 'PX', 500) };
});
afterAll(async () => {
  redis.disconnect();
  await clients[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => redis.flushall());

/** Two objects are two processes as far as Redis can tell. */
const replicas = () =>
  [1, 2].map(() => new SharedCache(store, new RedisMutex(clients.send, { subscribe: clients.subscribe })));

test('cache-refresh: of twenty callers in two replicas one rebuilds, and again after the entry has expired', async () => {
  const [one, other] = replicas();
  let rebuilt = 0;
  const rebuild = async () => {
    await pause(20);
    return `list ${++rebuilt}`;
  };
  const ask = () =>
    Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? one : other)!.get('prices', rebuild)));
  expect(new Set(await ask())).toEqual(new Set(['list 1']));
  while ((await redis.exists('prices')) === 1) await pause(10);
  expect(new Set(await ask())).toEqual(new Set(['list 2']));
});

test('cache-refresh: a rebuild that fails rejects the waiters of that replica, and the other replica tries', async () => {
  const [one, other] = replicas();
  const failing = [1, 2].map(() => one!.get('prices', () => Promise.reject(new Error('too slow'))));
  const fine = other!.get('prices', async () => 'list');
  const ended = await Promise.allSettled([...failing, fine]);
  expect(ended.at(-1)).toMatchObject({ value: 'list' });
});

test('cache-refresh: the naive way rebuilds for every caller that comes meanwhile', async () => {
  let rebuilt = 0;
  let release = () => {};
  const isReleased = new Promise<void>((resolve) => {
    release = resolve;
  });
  const rebuild = async () => {
    if (++rebuilt === 20) release();
    await isReleased;
    return 'list';
  };
  await Promise.all(Array.from({ length: 20 }, () => cached(store, 'prices', rebuild)));
  expect(rebuilt).toBe(20);
});
