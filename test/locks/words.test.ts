/** The methods and options that every lock has: waiting, stats, idle, close, refuseWaiting, maxWaiting, waitTimeoutMs. */
import {
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  KeyedMutex,
  type LockOptions,
  Mutex,
  Semaphore,
  type WaitOptions,
} from 'latchkey';
import { controlledDelay, fairShare } from 'latchkey/overload';
import { RemoteMutex, RemoteSemaphore } from 'latchkey/remote-locks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryEngine } from '../remote-locks/support/memory-engine.js';

interface Lock {
  run(task: () => unknown, wait?: WaitOptions): Promise<unknown>;
  /** A lock across processes gives back what it holds when it is closed, so that other processes need not wait. */
  readonly heldAfterClose?: 0;
  /** The lock itself. */
  readonly words: Pick<Mutex, 'waiting' | 'idle' | 'refuseWaiting'> & { close(): unknown; stats(): object };
}

const locks: Record<string, (options?: LockOptions) => Lock> = {
  Mutex: (options) => {
    const words = new Mutex(options);
    return { words, run: (task, wait) => words.run(task, wait) };
  },
  KeyedMutex: (options) => {
    const words = new KeyedMutex(options);
    return { words, run: (task, wait) => words.run('key', task, wait) };
  },
  Semaphore: (options) => {
    const words = new Semaphore(1, options);
    return { words, run: (task, wait) => words.run(task, wait) };
  },
  'Semaphore, controlledDelay': (options) => {
    const words = new Semaphore(1, { order: controlledDelay(), ...options });
    return { words, run: (task, wait) => words.run(task, wait) };
  },
  'Semaphore, fairShare': (options) => {
    const words = new Semaphore(1, { order: fairShare(), ...options });
    return { words, run: (task, wait) => words.run(task, wait) };
  },
  AdaptiveSemaphore: (options) => {
    const words = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 1, max: 1 }), ...options });
    return { words, run: (task, wait) => words.run(task, wait) };
  },
  RemoteMutex: (options) => {
    const words = new RemoteMutex(new MemoryEngine(), options);
    return { words, heldAfterClose: 0, run: (task, wait) => words.run('key', task, wait) };
  },
  RemoteSemaphore: (options) => {
    const words = new RemoteSemaphore(new MemoryEngine(), 1, 'name', options);
    return { words, heldAfterClose: 0, run: (task, wait) => words.run(task, wait) };
  },
};

/** A task that holds the lock until the test ends it. */
async function holding({ run }: Pick<Lock, 'run'>) {
  let end = () => {};
  let ended: Promise<unknown> | undefined;
  await new Promise<void>((started) => {
    ended = run(() => {
      started();
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    });
  });
  return { end: () => end(), ended };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error) => error.code ?? error,
  );

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

describe.each(Object.entries(locks))('%s', (_name, make) => {
  test('waiting and stats() count holders and waiters', async () => {
    const lock = make();
    const holder = await holding(lock);
    const second = lock.run(() => 2);
    expect(lock.words.waiting).toBe(1);
    expect(lock.words.stats()).toMatchObject({ held: 1, waiting: 1, closed: false });
    holder.end();
    await second;
    await lock.words.idle();
    expect(lock.words.stats()).toMatchObject({ held: 0, waiting: 0, closed: false });
  });

  test('a queued task that fails after it has waited has its caller in the stack of its error', async () => {
    const lock = make();
    const holder = await holding(lock);
    const theCaller = async () => {
      await lock.run(async () => {
        await new Promise(setImmediate);
        throw new Error('failed');
      });
    };
    const stack = theCaller().catch((error: Error) => error.stack);
    holder.end();
    expect(await stack).toContain('theCaller');
  });

  test('EN2: idle() resolves when nothing is held and no caller waits, at once if that is already so', async () => {
    const lock = make();
    await lock.words.idle();
    const holder = await holding(lock);
    let isIdle = false;
    const idle = lock.words.idle().then(() => {
      isIdle = true;
    });
    const alsoIdle = lock.words.idle();
    const second = lock.run(() => expect(isIdle).toBe(false));
    holder.end();
    await second;
    await Promise.all([idle, alsoIdle]);
  });

  test('EN3: idle() rejects with the reason of its signal, and others are not affected', async () => {
    const lock = make();
    const holder = await holding(lock);
    const controller = new AbortController();
    const [aborted, other] = [lock.words.idle({ signal: controller.signal }), lock.words.idle()];
    const reason = new Error('no patience');
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    holder.end();
    await other;
  });

  test('EN1, EN2: close() refuses waiters and newcomers, the holder finishes, and then it is idle', async () => {
    const lock = make();
    const holder = await holding(lock);
    const waiter = codeOf(lock.run(() => 2));
    const stack = lock.run(() => 2).catch((error: Error) => error.stack);
    lock.words.close();
    lock.words.close();
    expect(await waiter).toBe('ERR_CLOSED');
    // A stack would be that of the closer, once for each waiter.
    expect(await stack).not.toMatch(/^ +at /m);
    expect(await codeOf(lock.run(() => 3))).toBe('ERR_CLOSED');
    expect(lock.words.stats()).toMatchObject({ held: lock.heldAfterClose ?? 1, waiting: 0, closed: true });
    const idle = lock.words.idle();
    holder.end();
    await holder.ended;
    await idle;
    // Also long after it was closed.
    await lock.words.idle();
  });

  test('refuseWaiting() rejects the waiters, and stays open', async () => {
    const lock = make();
    const holder = await holding(lock);
    const reason = new Error('not today');
    const refused = [codeOf(lock.run(() => 2)), codeOf(lock.run(() => 3))];
    lock.words.refuseWaiting(reason);
    expect(await Promise.all(refused)).toEqual([reason, reason]);
    const next = lock.run(() => 'next');
    const byDefault = lock.run(() => 5).catch((error: Error) => error.name);
    lock.words.refuseWaiting();
    expect(await byDefault).toBe('AbortError');
    await expect(next).rejects.toThrow();
    const last = lock.run(() => 'last');
    holder.end();
    expect(await last).toBe('last');
  });

  test('maxWaiting: the next caller is refused at once', async () => {
    const lock = make({ maxWaiting: 1 });
    const holder = await holding(lock);
    const waiter = lock.run(() => 'waiter');
    expect(await codeOf(lock.run(() => 3))).toBe('ERR_QUEUE_FULL');
    holder.end();
    expect(await waiter).toBe('waiter');
  });

  test('waitTimeoutMs is the default of its waits', async () => {
    const lock = make({ waitTimeoutMs: 50 });
    const holder = await holding(lock);
    const late = codeOf(lock.run(() => 2));
    vi.advanceTimersByTime(49);
    expect(lock.words.waiting).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await late).toBe('ERR_WAIT_TIMEOUT');
    holder.end();
    await holder.ended;
    expect(await lock.run(() => 'free')).toBe('free');
  });

  test('waitTimeoutMs of the constructor holds for a wait with a signal too, and a call may set its own', async () => {
    const lock = make({ waitTimeoutMs: 50 });
    const holder = await holding(lock);
    const { signal } = new AbortController();
    const byDefault = codeOf(lock.run(() => 2, { signal }));
    const patient = lock.run(() => 'patient', { signal, waitTimeoutMs: Infinity });
    await vi.advanceTimersByTimeAsync(50);
    expect(await byDefault).toBe('ERR_WAIT_TIMEOUT');
    holder.end();
    expect(await patient).toBe('patient');
  });
});

describe('RemoteMutex', () => {
  test('LK1: maxWaiting leaves room for the one caller for which the database is asked', async () => {
    const mutex = new RemoteMutex(new MemoryEngine(), { maxWaiting: 0 });
    const asking = mutex.run('key', () => 'served');
    expect(await codeOf(mutex.run('key', () => 2))).toBe('ERR_QUEUE_FULL');
    expect(await mutex.run('other', () => 'other')).toBe('other');
    expect(await asking).toBe('served');
  });

  test('EN2: idle() waits for a request that is under way', async () => {
    const engine = new MemoryEngine();
    const mutex = new RemoteMutex(engine);
    const controller = new AbortController();
    const waits = mutex.acquire('key', { signal: controller.signal });
    controller.abort('enough');
    await expect(waits).rejects.toBe('enough');
    expect(mutex.waiting).toBe(0);
    await mutex.idle();
    expect(engine.requests.length).toBe(1);
  });
});

describe('ConnectionPool', () => {
  const one = (options: LockOptions) =>
    new ConnectionPool<object>(
      { connect: () => ({}), close() {} },
      { ...options, max: 1, idleTimeoutMs: Infinity, maxLifetimeMs: Infinity },
    );
  const run = (pool: ConnectionPool<object>) => (task: () => unknown) => pool.use(task);

  test('maxWaiting: one caller more is refused at once', async () => {
    const pool = one({ maxWaiting: 1, waitTimeoutMs: Infinity });
    const holder = await holding({ run: run(pool) });
    const waiter = pool.use(() => 'waiter');
    expect(await codeOf(pool.use(() => 3))).toBe('ERR_QUEUE_FULL');
    holder.end();
    expect(await waiter).toBe('waiter');
  });

  test('refuseWaiting() rejects all waiters, and stays open', async () => {
    const pool = one({ waitTimeoutMs: Infinity });
    const holder = await holding({ run: run(pool) });
    const reason = new Error('not today');
    const refused = [codeOf(pool.use(() => 2)), codeOf(pool.use(() => 3))];
    expect(pool.waiting).toBe(2);
    pool.refuseWaiting(reason);
    expect(await Promise.all(refused)).toEqual([reason, reason]);
    const last = pool.use(() => 'last');
    expect([pool.waiting, pool.stats().waiting]).toEqual([1, 1]);
    holder.end();
    expect(await last).toBe('last');
  });

  test('refuseWaiting() ends a pool that closes as soon as its waiters are served', async () => {
    const pool = one({ waitTimeoutMs: Infinity });
    const holder = await holding({ run: run(pool) });
    const refused = codeOf(pool.use(() => 2));
    const closed = pool.close({ drain: true });
    pool.refuseWaiting('enough');
    expect(await refused).toBe('enough');
    holder.end();
    await closed;
    expect(pool.stats()).toMatchObject({ total: 0, waiting: 0 });
  });

  test('waitTimeoutMs of the constructor holds for a wait with a signal too', async () => {
    const pool = one({ waitTimeoutMs: 50 });
    const holder = await holding({ run: run(pool) });
    const late = codeOf(pool.use(() => 2, { signal: new AbortController().signal }));
    await vi.advanceTimersByTimeAsync(50);
    expect(await late).toBe('ERR_WAIT_TIMEOUT');
    holder.end();
  });

  test('waitTimeoutMs is the default of its waits', async () => {
    const pool = one({ waitTimeoutMs: 50 });
    const holder = await holding({ run: run(pool) });
    const late = codeOf(pool.use(() => 2));
    await vi.advanceTimersByTimeAsync(49);
    expect(pool.stats().waiting).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await late).toBe('ERR_WAIT_TIMEOUT');
    holder.end();
    expect(await pool.use(() => 'free')).toBe('free');
  });
});
