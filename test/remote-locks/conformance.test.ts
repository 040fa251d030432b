/** What every lock of the package promises, checked for those in a database: in real time, on real engines. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type KeyedLock, type KeyLease, type WaitOptions, WaitTimeoutError } from 'latchkey';
import { MachineMutex, MachineSemaphore } from 'latchkey/machine';
import { leaseTableSchema, PostgresMutex, PostgresSemaphore } from 'latchkey/postgres';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';
import { pause } from './support/real-time.js';
import { ioredisClients, type RedisClients } from './support/redis-clients.js';

interface Lock {
  run<T>(task: (lease: KeyLease<string>) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
  acquire(options?: WaitOptions): Promise<KeyLease<string>>;
}

let postgres: PostgresServer;
let redis: RedisServer;
let pool: pg.Pool;
let clients: RedisClients;
let names = 0;
/** Other runs of this file lock the same machine. */
const namespace = crypto.randomUUID();

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  pool = new pg.Pool({ ...postgres.connectionOptions, max: 20 });
  pool.on('error', () => {});
  await pool.query(leaseTableSchema());
  clients = ioredisClients(redis.connectionOptions);
});
afterAll(async () => {
  await pool.end();
  await clients[Symbol.asyncDispose]();
  await Promise.all([postgres[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
});

const ofKey = (mutex: KeyedLock<string>, key: string): Lock => ({
  run: (task, options) => mutex.run(key, task, options),
  acquire: (options) => mutex.acquire(key, options),
});

const kinds: Record<string, (name: string) => Lock> = {
  MachineMutex: (name) => ofKey(new MachineMutex({ namespace }), name),
  'MachineSemaphore(1)': (name) => new MachineSemaphore(1, { name, namespace }),
  RedisMutex: (name) => ofKey(new RedisMutex(clients.send, { subscribe: clients.subscribe }), name),
  'RedisMutex without wake-ups': (name) => ofKey(new RedisMutex(clients.send), name),
  'RedisSemaphore(1)': (name) => new RedisSemaphore(clients.send, 1, { name, subscribe: clients.subscribe }),
  'PostgresMutex, session': (name) => ofKey(new PostgresMutex(pool, { mode: 'session' }), name),
  'PostgresMutex, session, one connection': (name) =>
    ofKey(new PostgresMutex(pool, { mode: 'session', shareConnection: true }), name),
  'PostgresMutex, leaseTable': (name) => ofKey(new PostgresMutex(pool, { mode: 'leaseTable' }), name),
  'PostgresSemaphore(1)': (name) => new PostgresSemaphore(pool, 1, { name }),
};

describe.each(Object.keys(kinds))('%s', (kind) => {
  const make = () => kinds[kind]!(`name ${++names}`);

  test('one task at a time, first come, first served', async () => {
    const lock = make();
    const order: number[] = [];
    let inside = 0;
    const task = (n: number) => async () => {
      expect(++inside).toBe(1);
      order.push(n);
      await pause(1);
      inside--;
    };
    await Promise.all([1, 2, 3, 4, 5].map((n) => lock.run(task(n))));
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  test('a signal that is aborted already has no effect but the rejection', async () => {
    const lock = make();
    await expect(lock.acquire({ signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect(await lock.run(() => 'free')).toBe('free');
  });

  test('aborting the head lets the next waiter through', async () => {
    const lock = make();
    const lease = await lock.acquire();
    const controller = new AbortController();
    const [head, next] = [lock.acquire({ signal: controller.signal }), lock.acquire()];
    await pause(20);
    controller.abort('enough');
    await expect(head).rejects.toBe('enough');
    await lease.release();
    await (await next).release();
  });

  test('a wait that times out leaves the lock as it was', async () => {
    const lock = make();
    const lease = await lock.acquire();
    await expect(lock.acquire({ waitTimeoutMs: 30 })).rejects.toBeInstanceOf(WaitTimeoutError);
    expect(lease.signal.aborted).toBe(false);
    await lease.release();
    expect(await lock.run(() => 'free')).toBe('free');
  });

  test('an error of the task passes through, and the lock is released', async () => {
    const lock = make();
    const failure = new Error('of the task');
    await expect(lock.run(() => Promise.reject(failure))).rejects.toBe(failure);
    const sync = lock.run(() => {
      throw failure;
    });
    await expect(sync).rejects.toBe(failure);
    expect(await lock.run(() => 'free')).toBe('free');
  });

  test('a second release changes nothing', async () => {
    const lock = make();
    const first = await lock.acquire();
    await first.release();
    const second = await lock.acquire();
    await first.release();
    await expect(lock.acquire({ waitTimeoutMs: 50 })).rejects.toBeInstanceOf(WaitTimeoutError);
    await second.release();
  });

  test('tokens grow with every grant', async () => {
    const lock = make();
    const tokens: bigint[] = [];
    for (let i = 0; i < 5; i++) await lock.run(({ token }) => void tokens.push(token));
    expect(tokens.every((token, i) => i === 0 || token > tokens[i - 1]!)).toBe(true);
  });

  test('a task runs in the async context of its caller', async () => {
    const lock = make();
    const storage = new AsyncLocalStorage<string>();
    const seen = ['a', 'b'].map((name) => storage.run(name, () => lock.run(() => storage.getStore())));
    expect(await Promise.all(seen)).toEqual(['a', 'b']);
  });

  test('await using releases it', async () => {
    const lock = make();
    {
      await using lease = await lock.acquire();
      expect(lease.signal.aborted).toBe(false);
    }
    expect(await lock.run(() => 'free')).toBe('free');
  });
});
