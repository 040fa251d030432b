/** On demand: RedisMutex beside the packages people use, on a Redis of its own, which is frozen in the end. */
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import { Semaphore, Mutex as SemaphoreMutex } from 'redis-semaphore';
import { startRedis } from '../../../test/support/engines/redis.js';
import type { Suite } from '../../harness/subjects.js';
import { figuresOf, type LockRow, printLocks } from '../remote-locks/lock-rows.js';

const ttlMs = 1_000;
const frozenMs = 4_000;

/** Its types cannot be found through its `exports`. */
interface RedlockClass {
  new (
    clients: Redis[],
  ): {
    acquire(keys: string[], ttlMs: number): Promise<{ release(): Promise<unknown> }>;
    using<T>(keys: string[], ttlMs: number, task: (signal: AbortSignal) => Promise<T>): Promise<T>;
    on(event: 'error', listener: () => void): void;
  };
}
const { default: Redlock } = createRequire(import.meta.url)('redlock') as { default: RedlockClass };

export const redisLocks: Suite = {
  name: 'redis',
  onDemand: true,
  printsItself: true,
  async run() {
    await using server = await startRedis();
    const clients: Redis[] = [];
    const client = () => {
      const made = new Redis({ ...server.connectionOptions, maxRetriesPerRequest: 1 });
      made.on('error', () => {});
      clients.push(made);
      return made;
    };
    const rows = [
      ours(client),
      redlock(client),
      redisSemaphore(client),
      polling(client),
      ourSemaphore(client),
      theirSemaphore(client),
    ];
    const figures = await figuresOf(rows);
    const told: string[] = [];
    for (const row of rows) told.push(await whenFrozen(row, server));
    printLocks(
      `RedisMutex, time to live ${ttlMs} ms; the last column: when the holder learns that Redis is frozen`,
      'told after',
      figures.map((row, i) => ({ ...row, told: told[i]! })),
    );
    console.log(`\n${await outageOf(client, server)}`);
    for (const made of clients) made.disconnect();
  },
};

const waiters = 20;

/** When the first and the last of many waiters of one key learn that Redis does not answer. */
async function outageOf(client: () => Redis, server: { freeze(): void; thaw(): void }): Promise<string> {
  const mutexOf = () => {
    const commands = client();
    return new RedisMutex(([command = '', ...args]) => commands.call(command, ...args), { ttlMs });
  };
  const [holder, mutex] = [mutexOf(), mutexOf()];
  const lease = await holder.acquire('outage');
  const told: number[] = [];
  const waits = Array.from({ length: waiters }, () =>
    mutex.acquire('outage').catch(() => told.push(performance.now())),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  server.freeze();
  const startedMs = performance.now();
  await Promise.all(waits);
  server.thaw();
  await lease.release();
  const [first, last] = [Math.min(...told), Math.max(...told)].map((at) => Math.round(at - startedMs));
  return `Redis is frozen: of ${told.length} waiters, the first learns it after ${first} ms, the last after ${last} ms`;
}

async function whenFrozen(row: LockRow, server: { freeze(): void; thaw(): void }): Promise<string> {
  if (row.toldOfLoss === undefined) return row.neverTold ? 'never' : '';
  let startedMs = 0;
  const frozen = new Promise<void>((resolve) => {
    setTimeout(() => {
      server.freeze();
      startedMs = performance.now();
      setTimeout(() => {
        server.thaw();
        resolve();
      }, frozenMs);
    }, 200);
  });
  const toldMs = await row.toldOfLoss(frozen);
  return toldMs === undefined ? `not in ${frozenMs} ms` : `${Math.round(toldMs - startedMs)} ms`;
}

/** When `told` is called, if it is before `until`. */
function noted(until: Promise<unknown>): { told: () => void; answer: Promise<number | undefined> } {
  let toldMs: number | undefined;
  return {
    told: () => {
      toldMs ??= performance.now();
    },
    answer: until.then(() => toldMs),
  };
}

function ours(client: () => Redis): LockRow {
  const mutexes = [0, 1].map(() => {
    const [commands, subscriber] = [client(), client()];
    return new RedisMutex(([command = '', ...args]) => commands.call(command, ...args), {
      ttlMs,
      async subscribe(channel, listener) {
        subscriber.on('message', (_channel: string, message: string) => listener(message));
        await subscriber.subscribe(channel);
      },
    });
  });
  return {
    name: 'latchkey',
    async acquire(side) {
      const lease = await mutexes[side]!.acquire('ours');
      return async () => lease.release();
    },
    async toldOfLoss(until) {
      const { told, answer } = noted(until);
      const lease = await mutexes[0]!.acquire('frozen');
      lease.signal.addEventListener('abort', told);
      await answer;
      await lease.release();
      return answer;
    },
  };
}

function ourSemaphore(client: () => Redis): LockRow {
  const sides = [0, 1].map(() => {
    const [commands, subscriber] = [client(), client()];
    return new RedisSemaphore(([command = '', ...args]) => commands.call(command, ...args), 1, {
      name: 'ours',
      ttlMs,
      async subscribe(channel, listener) {
        subscriber.on('message', (_channel: string, message: string) => listener(message));
        await subscriber.subscribe(channel);
      },
    });
  });
  return {
    name: 'latchkey RedisSemaphore(1)',
    async acquire(side) {
      const lease = await sides[side]!.acquire();
      return async () => lease.release();
    },
  };
}

function theirSemaphore(client: () => Redis): LockRow {
  const clients = [client(), client()];
  return {
    name: 'redis-semaphore 5 Semaphore(1)',
    async acquire(side) {
      const options = { lockTimeout: ttlMs, acquireTimeout: 60_000, onLockLost() {} };
      const semaphore = new Semaphore(clients[side] as never, 'theirs', 1, options);
      await semaphore.acquire();
      return () => semaphore.release();
    },
  };
}

function redlock(client: () => Redis): LockRow {
  const sides = [0, 1].map(() => new Redlock([client()]));
  for (const side of sides) side.on('error', () => {});
  return {
    name: 'redlock 5 beta',
    async acquire(side) {
      for (;;) {
        const lock = await sides[side]!.acquire(['redlock'], ttlMs).catch(() => undefined);
        if (lock !== undefined) return () => lock.release();
      }
    },
    async toldOfLoss(until) {
      const { told, answer } = noted(until);
      await sides[0]!
        .using(['redlock frozen'], ttlMs, async (signal) => {
          signal.addEventListener('abort', told);
          await answer;
        })
        .catch(() => {});
      return answer;
    },
  };
}

function redisSemaphore(client: () => Redis): LockRow {
  const clients = [client(), client()];
  const make = (side: number, key: string, onLockLost = () => {}) =>
    new SemaphoreMutex(clients[side] as never, key, {
      lockTimeout: ttlMs,
      acquireTimeout: 60_000,
      onLockLost,
    });
  return {
    name: 'redis-semaphore 5',
    async acquire(side) {
      const mutex = make(side, 'redis-semaphore');
      await mutex.acquire();
      return () => mutex.release();
    },
    async toldOfLoss(until) {
      const { told, answer } = noted(until);
      const mutex = make(0, 'redis-semaphore frozen', told);
      await mutex.acquire();
      await answer;
      await mutex.release().catch(() => {});
      return answer;
    },
  };
}

/** The usual hand-written lock: SET NX, again every 50 ms, and DEL. Its holder never learns of a loss. */
function polling(client: () => Redis): LockRow {
  const clients = [client(), client()];
  return {
    name: 'SET NX, every 50 ms',
    neverTold: true,
    async acquire(side) {
      const redis = clients[side]!;
      while ((await redis.set('polling', '1', 'PX', ttlMs, 'NX')) === null) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return () => redis.del('polling');
    },
  };
}
