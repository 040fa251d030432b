/**
 * A network that swallows everything: every waiter of a process learns of it within one time to live, whatever the engine.
 *
 *     LATCHKEY_OUTAGES=1 npx vitest run test/remote-locks/outages    prints when the first and the last waiter learn of it
 */
import type { KeyedLock } from 'latchkey';
import { PostgresMutex, PostgresSemaphore } from 'latchkey/postgres';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pause } from './support/real-time.js';
import { ioredisClients } from './support/redis-clients.js';
import { type Servers, startServers } from './support/servers.js';
import { TcpProxy } from './support/tcp-proxy.js';

const ttlMs = 2_000;
const waiters = 20;

let servers: Servers;
const ends: (() => unknown)[] = [];
beforeAll(async () => {
  servers = await startServers();
});
afterAll(async () => {
  await Promise.all(ends.map((end) => end()));
  await servers[Symbol.asyncDispose]();
});

type Lock = Pick<KeyedLock<string>, 'acquire'> & { close(): Promise<void> };

/** As another process would have it, at that port. */
const locks = {
  'PostgresMutex, session': (port: number) => new PostgresMutex(poolAt(port), { mode: 'session', ttlMs }),
  'PostgresMutex, session, one connection': (port: number) =>
    new PostgresMutex(poolAt(port), { mode: 'session', shareConnection: true, ttlMs }),
  'PostgresMutex, leaseTable': (port: number) =>
    new PostgresMutex(poolAt(port), { mode: 'leaseTable', ttlMs }),
  'PostgresSemaphore(1)': (port: number) =>
    keyed((name) => new PostgresSemaphore(poolAt(port), 1, { name, ttlMs })),
  RedisMutex: (port: number) => new RedisMutex(sendAt(port), { ttlMs }),
  'RedisSemaphore(1)': (port: number) =>
    keyed((name) => new RedisSemaphore(sendAt(port), 1, { name, ttlMs })),
} satisfies Record<string, (port: number) => Lock>;

function poolAt(port: number): pg.Pool {
  const pool = new pg.Pool({ ...servers.postgres.connectionOptions, port, max: 25 });
  pool.on('error', () => {});
  ends.push(() => pool.end());
  return pool;
}

function sendAt(port: number) {
  const client = ioredisClients({ ...servers.redis.connectionOptions, port });
  ends.push(() => client[Symbol.asyncDispose]());
  return client.send;
}

function keyed(make: (name: string) => PostgresSemaphore | RedisSemaphore): Lock {
  const semaphores = new Map<string, PostgresSemaphore | RedisSemaphore>();
  const of = (key: string) => {
    const semaphore = semaphores.get(key) ?? make(key);
    semaphores.set(key, semaphore);
    return semaphore;
  };
  return {
    acquire: (key, options) => of(key).acquire(options) as never,
    close: async () =>
      void (await Promise.all([...semaphores.values()].map((semaphore) => semaphore.close()))),
  };
}

describe.each(Object.keys(locks) as (keyof typeof locks)[])('%s', (kind) => {
  const server = () => (kind.startsWith('Redis') ? servers.redis : servers.postgres).connectionOptions;

  test.concurrent.each([
    ['of one key', 1, true],
    ['of twenty keys', waiters, true],
    ['of one key, without a connection so far', 1, false],
    ['of twenty keys, without a connection so far', waiters, false],
  ])('LK5: twenty waiters %s all learn of it within one time to live', async (name, keys, isConnected) => {
    await using proxy = await TcpProxy.before(server());
    const [holder, lock] = [locks[kind](server().port), locks[kind](proxy.port)];
    const keyOf = (i: number) => `${kind} ${name} ${i % keys}`;
    for (let i = 0; isConnected && i < keys; i++) await holder.acquire(keyOf(i));
    proxy.isBlackHole = !isConnected;
    const told: number[] = [];
    const wait = (_: unknown, i: number) => lock.acquire(keyOf(i)).catch(() => told.push(performance.now()));
    const waits = Array.from({ length: waiters }, wait);
    if (isConnected) await pause(700);
    proxy.isBlackHole = true;
    const startedMs = performance.now();
    await Promise.all(waits);
    const [first, last] = [told[0]!, told.at(-1)!].map((at) => Math.round(at - startedMs)) as [
      number,
      number,
    ];
    expect(told).toHaveLength(waiters);
    // In two groups, they would be a time to live apart.
    expect(last - first).toBeLessThan(ttlMs / 2);
    expect(last).toBeLessThan(1.5 * ttlMs);
    if (process.env['LATCHKEY_OUTAGES'])
      console.log(`${kind}, ${name}: the first after ${first} ms, the last after ${last} ms`);
    await holder.close();
  });
});
