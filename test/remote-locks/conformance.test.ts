/** What every lock of the package promises, checked for those in a database: in real time, on real engines. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type KeyLease, type LockOptions, type WaitOptions, WaitTimeoutError } from 'latchkey';
import { MachineMutex, MachineSemaphore } from 'latchkey/machine';
import { leaseTableSchema, PostgresMutex, PostgresSemaphore } from 'latchkey/postgres';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import type { RemoteMutex, RemoteSemaphore } from 'latchkey/remote-locks';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';
import { pause } from './support/real-time.js';
import { ioredisClients, type RedisClients } from './support/redis-clients.js';

interface Lock {
  run<T>(task: (lease: KeyLease<string>) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
  acquire(options?: WaitOptions): Promise<KeyLease<string>>;
  /** The lock itself. */
  readonly words: Pick<RemoteMutex, 'waiting' | 'stats' | 'idle' | 'refuseWaiting' | 'close'>;
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

const ofKey = (mutex: RemoteMutex, key: string): Lock => ({
  words: mutex,
  run: (task, options) => mutex.run(key, task, options),
  acquire: (options) => mutex.acquire(key, options),
});

const ofPlace = (semaphore: RemoteSemaphore): Lock => ({
  words: semaphore,
  run: (task, options) => semaphore.run(task, options),
  acquire: (options) => semaphore.acquire(options),
});

const kinds: Record<string, (name: string, options?: LockOptions) => Lock> = {
  MachineMutex: (name, options) => ofKey(new MachineMutex({ namespace, ...options }), name),
  'MachineSemaphore(1)': (name, options) => ofPlace(new MachineSemaphore(1, { name, namespace, ...options })),
  RedisMutex: (name, options) =>
    ofKey(new RedisMutex(clients.send, { subscribe: clients.subscribe, ...options }), name),
  'RedisMutex without wake-ups': (name, options) => ofKey(new RedisMutex(clients.send, options), name),
  'RedisSemaphore(1)': (name, options) =>
    ofPlace(new RedisSemaphore(clients.send, 1, { name, subscribe: clients.subscribe, ...options })),
  'PostgresMutex, session': (name, options) =>
    ofKey(new PostgresMutex(pool, { mode: 'session', ...options }), name),
  'PostgresMutex, session, one connection': (name, options) =>
    ofKey(new PostgresMutex(pool, { mode: 'session', shareConnection: true, ...options }), name),
  'PostgresMutex, leaseTable': (name, options) =>
    ofKey(new PostgresMutex(pool, { mode: 'leaseTable', ...options }), name),
  'PostgresSemaphore(1)': (name, options) => ofPlace(new PostgresSemaphore(pool, 1, { name, ...options })),
};

/** The code of the error, or the reason itself. */
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error) => error.code ?? error,
  );

describe.each(Object.keys(kinds))('%s', (kind) => {
  const make = (options?: LockOptions) => kinds[kind]!(`name ${++names}`, options);

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

  test('waiting, stats() and idle() tell of its callers; refuseWaiting() ends their waits', async () => {
    const lock = make();
    const lease = await lock.acquire();
    const waits = [lock.run(() => 2), lock.run(() => 3)].map(codeOf);
    expect(lock.words.waiting).toBe(2);
    expect(lock.words.stats()).toMatchObject({ held: 1, waiting: 2, closed: false });
    const idle = lock.words.idle();
    lock.words.refuseWaiting('not today');
    expect(await Promise.all(waits)).toEqual(['not today', 'not today']);
    expect(lock.words.stats()).toMatchObject({ held: 1, waiting: 0 });
    await lease.release();
    await idle;
    expect(await lock.run(() => 'free')).toBe('free');
  });

  test('maxWaiting and waitTimeoutMs of the constructor hold for its waits', async () => {
    const lock = make({ maxWaiting: 1, waitTimeoutMs: 30 });
    const lease = await lock.acquire();
    const waiter = codeOf(lock.run(() => 2));
    expect(await codeOf(lock.run(() => 3))).toBe('ERR_QUEUE_FULL');
    expect(await waiter).toBe('ERR_WAIT_TIMEOUT');
    await lease.release();
  });

  test('close() refuses waiters and newcomers, and gives back what is held', async () => {
    const lock = make();
    await lock.acquire();
    const waiter = codeOf(lock.run(() => 2));
    await lock.words.close();
    expect(await waiter).toBe('ERR_CLOSED');
    expect(await codeOf(lock.run(() => 3))).toBe('ERR_CLOSED');
    expect(lock.words.stats()).toMatchObject({ held: 0, waiting: 0, closed: true });
    await lock.words.idle();
    expect(await kinds[kind]!(`name ${names}`).run(() => 'another process')).toBe('another process');
  });
});
