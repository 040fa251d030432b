/** The rules that hold everywhere, each where it could break. Those of locks are in conformance.test.ts. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import {
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  type ConnectionPoolEvent,
  gatherSettled,
  KeyedMutex,
  Mutex,
  retry,
  Semaphore,
} from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, watch } from '../support/lock-likes.js';

const unhandled: unknown[] = [];
const noteUnhandled = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', noteUnhandled);
});
afterEach(async () => {
  await drained();
  process.off('unhandledRejection', noteUnhandled);
  expect(unhandled).toEqual([]);
});

describe('rule 2: a waiter ends exactly once and leaves no ghost', () => {
  test('waiters that timed out are not in the queue any more', async () => {
    vi.useFakeTimers();
    const mutex = new Mutex();
    const holder = mutex.tryAcquire();
    const waiters = Array.from({ length: 10_000 }, () => watch(mutex.acquire({ waitTimeoutMs: 100 })));
    expect([mutex.waiting, vi.getTimerCount()]).toEqual([10_000, 1]);
    vi.advanceTimersByTime(100);
    expect([mutex.waiting, vi.getTimerCount()]).toEqual([0, 0]);
    vi.useRealTimers();
    await drained();
    expect(waiters.every(({ state, times }) => state === 'rejected' && times === 1)).toBe(true);
    holder?.release();
    expect(mutex.locked).toBe(false);
  });

  test('waiters with different patience leave in the order of their deadlines', () => {
    vi.useFakeTimers();
    const mutex = new Mutex();
    mutex.tryAcquire();
    for (const waitTimeoutMs of [300, 100, 200, 100]) watch(mutex.acquire({ waitTimeoutMs }));
    const left = [100, 100, 100].map((step) => {
      vi.advanceTimersByTime(step);
      return mutex.waiting;
    });
    vi.useRealTimers();
    expect(left).toEqual([2, 1, 0]);
  });

  test('a wait of more than 2^31 ms does not end at once', async () => {
    vi.useFakeTimers();
    const mutex = new Mutex();
    const holder = mutex.tryAcquire();
    const waiter = watch(mutex.acquire({ waitTimeoutMs: 2 ** 32 }));
    vi.advanceTimersByTime(2 ** 31);
    await Promise.resolve();
    expect(mutex.waiting).toBe(1);
    vi.advanceTimersByTime(2 ** 31);
    vi.useRealTimers();
    await drained();
    expect(waiter.reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT' });
    holder?.release();
  });
});

describe('rule 3: one listener per signal', () => {
  test('a signal shared by every primitive has one listener, and none when all are done', async () => {
    const { signal } = new AbortController();
    const mutex = new Mutex();
    const semaphore = new Semaphore(1);
    const keyed = new KeyedMutex<string>();
    const held = [mutex.tryAcquire(), semaphore.tryAcquire(), keyed.tryAcquire('a')];
    const waits = [
      mutex.acquire({ signal }),
      semaphore.acquire({ signal }),
      keyed.acquireAll(['a', 'b'], { signal }),
    ];
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const running = [retry(() => finished, { signal }), gatherSettled([1, 2, 3], () => finished, { signal })];
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const permit of held) permit?.release();
    for (const permit of await Promise.all(waits)) permit.release();
    finish();
    await Promise.all(running);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('rule 6: an error leads to its caller', () => {
  test("a failed connect carries the caller's stack and the connector's error", async () => {
    const refusal = new Error('connection refused');
    const pool = new ConnectionPool<object, string>({ connect: () => Promise.reject(refusal), close() {} });
    async function theCaller() {
      return await pool.acquire('db-1');
    }
    const error = await theCaller().catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'ERR_CONNECT', key: 'db-1', cause: refusal });
    expect((error as Error).message).toBe('could not connect to "db-1": connection refused');
    expect((error as Error).stack).toContain('theCaller');
    await pool.close();
  });

  test('an attempt that timed out carries the stack of the call to retry', async () => {
    vi.useFakeTimers();
    async function theCaller() {
      return await retry(() => new Promise(() => {}), { attempts: 1, attemptTimeoutMs: 10 });
    }
    const outcome = watch(theCaller());
    await vi.advanceTimersByTimeAsync(10);
    vi.useRealTimers();
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', attempt: 1, timeoutMs: 10 });
    expect((outcome.reason as Error).stack).toContain('theCaller');
  });
});

describe('rule 8: async context', () => {
  const storage = new AsyncLocalStorage<string>();

  test("every hook of a pool runs in the pool's context, every task in its caller's", async () => {
    const seen = new Map<string, Set<string | undefined>>();
    const see = (where: string) => {
      seen.set(where, (seen.get(where) ?? new Set()).add(storage.getStore()));
      return true;
    };
    const pool = storage.run(
      'maker',
      () =>
        new ConnectionPool<object, string>(
          {
            async connect(_key, { signal }) {
              see('connect');
              signal.addEventListener('abort', () => see('abort'));
              await undefined;
              see('connect, later');
              return {};
            },
            close: () => void see('close'),
            isAlive: () => see('isAlive'),
            validate: () => see('validate'),
            reset: () => void see('reset'),
            isReusable: () => see('isReusable'),
            ref: () => void see('ref'),
            unref: () => void see('unref'),
            keyId: (key) => {
              see('keyId');
              return key;
            },
          },
          { max: 1, validateAfterIdleMs: 0, onEvent: () => void see('onEvent') },
        ),
    );
    await Promise.all(
      ['a', 'b'].map((caller) =>
        storage.run(caller, () => pool.use('key', () => expect(storage.getStore()).toBe(caller))),
      ),
    );
    await storage.run('c', () => pool.use('key', () => Promise.reject(new Error('no')))).catch(() => {});
    await storage.run('d', () => pool.close());
    const hooks = 'connect,connect, later,close,isAlive,validate,reset,isReusable,ref,unref,keyId,onEvent';
    expect([...seen.keys()].sort().join()).toBe(
      hooks
        .split(/,(?! )/)
        .sort()
        .join(),
    );
    for (const [where, stores] of seen) expect([where, ...stores]).toEqual([where, 'maker']);
  });

  test('classify and onLimitChange run where the semaphore was made, the task with its caller', async () => {
    const seen: (string | undefined)[] = [];
    const see = () => seen.push(storage.getStore());
    const semaphore = storage.run(
      'maker',
      () =>
        new AdaptiveSemaphore({
          algorithm: new AimdLimit(),
          classify: () => {
            see();
            return 'overload';
          },
          onLimitChange: see,
        }),
    );
    await storage.run('caller', () => semaphore.run(see));
    expect(seen).toEqual(['caller', 'maker', 'maker']);
  });

  test("attempts and their hooks run in the context of retry's caller, also after a pause", async () => {
    const seen: (string | undefined)[] = [];
    const see = () => seen.push(storage.getStore());
    await storage.run('caller', () =>
      retry(
        ({ attempt }) => {
          see();
          if (attempt < 3) throw new Error('again');
        },
        { backoff: () => 0, onRetry: see, shouldRetry: () => see() > 0 },
      ),
    );
    expect(seen).toEqual(Array(7).fill('caller'));
  });

  test("workers run in the context of gatherSettled's caller", async () => {
    const seen = new Set<string | undefined>();
    const limiter = new Semaphore(2);
    await storage.run('caller', () =>
      gatherSettled(
        Array.from({ length: 20 }),
        async () => {
          seen.add(storage.getStore());
          await drained();
          seen.add(storage.getStore());
        },
        { limiter },
      ),
    );
    expect([...seen]).toEqual(['caller']);
  });

  test('a timer that many callers share keeps none of their contexts', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const stores: (string | undefined)[] = [];
    const realSetTimeout = globalThis.setTimeout;
    vi.stubGlobal('setTimeout', (fire: () => void, delayMs: number) => {
      stores.push(storage.getStore());
      return realSetTimeout(fire, delayMs);
    });
    const mutex = new Mutex();
    const holder = mutex.tryAcquire();
    const waiting = storage.run('request', () => mutex.acquire({ waitTimeoutMs: 60_000 }));
    vi.unstubAllGlobals();
    vi.useRealTimers();
    holder?.release();
    (await waiting).release();
    expect(stores).toEqual([undefined]);
  });
});

describe('rule 9: no surprise in the process', () => {
  const boom = () => {
    throw new Error('boom');
  };
  const reject = () => Promise.reject(new Error('boom'));

  test.each([
    ['connect throws', { connect: boom }],
    ['connect rejects', { connect: reject }],
    ['close throws', { close: boom }],
    ['close rejects', { close: reject }],
    ['isAlive throws', { isAlive: boom }],
    ['validate throws', { validate: boom }],
    ['validate rejects', { validate: reject }],
    ['reset throws', { reset: boom }],
    ['reset rejects', { reset: reject }],
    ['isReusable throws', { isReusable: boom }],
    ['ref throws', { ref: boom }],
    ['unref throws', { unref: boom }],
  ])('a pool whose %s loses no slot and leaves no rejection unhandled', async (_name, hooks) => {
    const pool = new ConnectionPool<object>(
      { connect: () => ({}), close() {}, ...hooks },
      { max: 1, validateAfterIdleMs: 0 },
    );
    for (let round = 0; round < 3; round++) {
      await pool.use(() => {}).catch(() => {});
      await pool.use(() => Promise.reject(new Error('the task failed'))).catch(() => {});
    }
    await pool.close();
    expect(pool.stats()).toMatchObject({ total: 0, waiting: 0, keys: 0 });
  });

  test('listeners that throw have no effect', async () => {
    const events: ConnectionPoolEvent['type'][] = [];
    const pool = new ConnectionPool<object>(
      { connect: () => ({}), close() {} },
      {
        onEvent: ({ type }) => {
          events.push(type);
          throw new Error('boom');
        },
      },
    );
    await expect(pool.use(() => 'value')).resolves.toBe('value');
    await pool.close();
    expect(events).toEqual(['connect', 'close']);
    const semaphore = new AdaptiveSemaphore({
      algorithm: new AimdLimit(),
      classify: boom,
      onLimitChange: boom,
    });
    await expect(semaphore.run(() => 'value')).resolves.toBe('value');
    expect(semaphore.held).toBe(0);
  });
});
