/** What is kept in memory, a hundred thousand times each: waiters, keys, and objects that nobody uses. */
import AsyncLock from 'async-lock';
import { Mutex as AsyncMutex, Semaphore as AsyncMutexSemaphore } from 'async-mutex';
import { Sema } from 'async-sema';
import Bottleneck from 'bottleneck';
import { bulkhead } from 'cockatiel';
import { createPool } from 'generic-pool';
import { AdaptiveSemaphore, ConnectionPool, KeyedMutex, Mutex, Semaphore } from 'latchkey';
import { Pool as LightningPool } from 'lightning-pool';
import pLimit from 'p-limit';
import PQueue from 'p-queue';
import { Pool as SequelizePool } from 'sequelize-pool';
import { Pool as Tarn } from 'tarn';
import { regularOf, type Use } from '../../harness/callers.js';
import { asyncLock, asyncLockKeyed } from '../../rivals/async-lock.js';
import { asyncMutex, asyncMutexPerKey } from '../../rivals/async-mutex.js';
import { asyncSema } from '../../rivals/async-sema.js';
import { cockatielBulkhead } from '../../rivals/cockatiel.js';
import { pLimitRun } from '../../rivals/p-limit.js';
import { pQueueRun } from '../../rivals/p-queue.js';
import type { RunKeyed } from '../../rivals/rival.js';

/** Makes the next object; what it returns is kept. */
type Make = (i: number) => unknown;

/** Shared parts are made before the first object. */
type Setup = () => Make;

/** Never called. They are kept because a waiter on a promise that nothing can resolve would be garbage. */
const resolvers: (() => void)[] = [];
const pending = () => new Promise<void>((resolve) => resolvers.push(resolve));
const nothing = async () => {};
const connector = { connect: async () => ({}), close: async () => {} };
const factory = { create: connector.connect, destroy: connector.close };
const tenMinutesMs = 600_000;

const waitersInAcquire = {
  'own promise': waiters(pending),
  latchkey: () => {
    const mutex = new Mutex();
    mutex.tryAcquire();
    return waiting(() => mutex.acquire());
  },
  'latchkey, with a signal': () => {
    const mutex = new Mutex();
    mutex.tryAcquire();
    const { signal } = new AbortController();
    return waiting(() => mutex.acquire({ signal }));
  },
  'latchkey, with a timeout': () => {
    const mutex = new Mutex();
    mutex.tryAcquire();
    return waiting(() => mutex.acquire({ waitTimeoutMs: tenMinutesMs }));
  },
  'async-sema': () => {
    const semaphore = new Sema(1);
    void semaphore.acquire();
    return waiting(() => semaphore.acquire());
  },
  'async-mutex': () => {
    const mutex = new AsyncMutex();
    void mutex.acquire();
    return waiting(() => mutex.acquire());
  },
} satisfies Record<string, Setup>;

const waitersInRun = {
  'own promise': waiters(pending),
  latchkey: running(() => {
    const mutex = new Mutex();
    return (task) => mutex.run(task);
  }),
  'async-sema': running(() => asyncSema(1)),
  'p-limit': running(() => pLimitRun(1)),
  cockatiel: running(() => cockatielBulkhead(1)),
  'async-lock': running(asyncLock),
  'p-queue': running(() => pQueueRun(1)),
  'async-mutex': running(asyncMutex),
} satisfies Record<string, Setup>;

const waitersForConnections = {
  'own promise': waiters(pending),
  latchkey: () => {
    const pool = new ConnectionPool<object, number>(connector, { max: 1, waitTimeoutMs: tenMinutesMs });
    void pool.acquire(1);
    return waiting(() => pool.acquire(1));
  },
  'generic-pool': () => {
    const pool = createPool(factory, { max: 1, acquireTimeoutMillis: tenMinutesMs });
    void pool.acquire();
    return waiting(() => pool.acquire());
  },
  tarn: () => {
    const pool = new Tarn({ ...factory, min: 0, max: 1, acquireTimeoutMillis: tenMinutesMs });
    void pool.acquire();
    return waiting(() => pool.acquire().promise);
  },
  'lightning-pool': () => {
    const options = { max: 1, maxQueue: 1_000_000, acquireTimeoutMillis: tenMinutesMs };
    const pool = new LightningPool(factory, options);
    void pool.acquire();
    return waiting(() => pool.acquire());
  },
  'sequelize-pool': () => {
    const limits = { validate: () => true, min: 0, max: 1, acquireTimeoutMillis: tenMinutesMs };
    const pool = new SequelizePool({ ...factory, ...limits });
    void pool.acquire();
    return waiting(() => pool.acquire());
  },
} satisfies Record<string, Setup>;

const heldKeys = {
  'Map entry': () => {
    const held = new Map<number, object>();
    return (key) => void held.set(key, {});
  },
  latchkey: () => {
    const locks = new KeyedMutex<number>();
    return (key) => locks.tryAcquire(key);
  },
  'async-lock': () => {
    const lock = new AsyncLock();
    return (key) => {
      let release: (() => void) | undefined;
      void lock.acquire(String(key), (done: () => void) => {
        release = done;
      });
      return release;
    };
  },
  'Map of async-mutex': () => {
    const mutexes = new Map<number, AsyncMutex>();
    const releases: (() => void)[] = [];
    return (key) => {
      const mutex = new AsyncMutex();
      mutexes.set(key, mutex);
      void mutex.acquire().then((release) => releases.push(release));
    };
  },
} satisfies Record<string, Setup>;

const idleKeys = {
  'Map entry': heldKeys['Map entry'],
  latchkey: used(() => {
    const locks = new KeyedMutex<number>();
    return (key, task) => locks.run(key, task);
  }),
  'async-lock': used(asyncLockKeyed),
  'Map of async-mutex': used(asyncMutexPerKey),
} satisfies Record<string, Setup>;

const idleLocks = {
  'two fields': twoFields,
  latchkey: () => () => new Mutex(),
  'latchkey KeyedMutex': () => () => new KeyedMutex(),
  'async-mutex': () => () => new AsyncMutex(),
  'async-lock': () => () => new AsyncLock(),
} satisfies Record<string, Setup>;

const idleLimits = {
  'two fields': twoFields,
  latchkey: () => () => new Semaphore(10),
  'latchkey AdaptiveSemaphore': () => () => new AdaptiveSemaphore(),
  'async-mutex': () => () => new AsyncMutexSemaphore(10),
  'async-sema': () => () => new Sema(10),
  'p-limit': () => () => pLimit(10),
  'p-queue': () => () => new PQueue({ concurrency: 10 }),
  cockatiel: () => () => bulkhead(10),
  bottleneck: () => () => new Bottleneck({ maxConcurrent: 10 }),
} satisfies Record<string, Setup>;

const idlePools = {
  'two fields': twoFields,
  latchkey: () => () => new ConnectionPool(connector),
  'generic-pool': () => () => createPool(factory, { max: 10 }),
  tarn: () => () => new Tarn({ ...factory, min: 0, max: 10 }),
  'lightning-pool': () => () => new LightningPool(factory, { max: 10 }),
  'sequelize-pool': () => () => new SequelizePool({ ...factory, validate: () => true, min: 0, max: 10 }),
} satisfies Record<string, Setup>;

export const kept = {
  waitersInAcquire,
  waitersInRun,
  waitersForConnections,
  heldKeys,
  idleKeys,
  idleLocks,
  idleLimits,
  idlePools,
} satisfies Record<string, Record<string, Setup>>;

export type Kind = keyof typeof kept;

/** The smallest thing that could know whether it is held. */
function twoFields(): Make {
  return (i) => ({ held: false, waiting: i });
}

/** A caller is an async function that waits at its `await`. */
function waiting(acquire: () => Promise<unknown>): Make {
  return async () => {
    await acquire();
  };
}

function waiters(acquire: () => Promise<unknown>): Setup {
  return () => waiting(acquire);
}

function running(make: () => Use): Setup {
  return () => {
    const use = make();
    const one = regularOf(use);
    void one(use, 1, pending);
    return () => one(use, 1, nothing);
  };
}

/** Each key is used once, and the program keeps no reference. */
function used(make: () => RunKeyed): Setup {
  return () => {
    const run = make();
    return (key) => void run(key, nothing);
  };
}
