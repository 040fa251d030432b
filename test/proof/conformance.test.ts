import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, lockLikes, microtasks, watch } from '../support/lock-likes.js';

describe.each(lockLikes)('$name', ({ make }) => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  });
  afterEach(() => {
    expect(vi.getTimerCount(), 'timers left behind').toBe(0);
    vi.useRealTimers();
  });

  test('M1, K1: never runs two tasks at once, and runs all of them', async () => {
    const lock = make();
    let running = 0;
    let most = 0;
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        lock.run(async () => {
          most = Math.max(most, ++running);
          await microtasks(i % 7);
          running--;
          return i;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(results).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(lock.free()).toBe(true);
  });

  test('W1, M3, K3: serves waiters first come, first served', async () => {
    const lock = make();
    const order: number[] = [];
    const first = await lock.acquire();
    const rest = Array.from({ length: 10 }, (_, i) =>
      lock.acquire().then((permit) => {
        order.push(i);
        permit.release();
      }),
    );
    first.release();
    await Promise.all(rest);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('a newcomer in the turn of a release does not overtake a waiter', async () => {
    const lock = make();
    const first = await lock.acquire();
    const order: string[] = [];
    const waiter = lock.acquire().then((permit) => {
      order.push('waiter');
      permit.release();
    });
    first.release();
    const newcomer = lock.acquire().then((permit) => {
      order.push('newcomer');
      permit.release();
    });
    await Promise.all([waiter, newcomer]);
    expect(order).toEqual(['waiter', 'newcomer']);
  });

  test('the next user does not start inside release()', async () => {
    const lock = make();
    const first = await lock.acquire();
    let started = false;
    const next = lock.run(() => {
      started = true;
    });
    await drained();
    first.release();
    expect(started).toBe(false);
    await next;
    expect(started).toBe(true);
  });

  test('releasing twice changes nothing', async () => {
    const lock = make();
    const first = await lock.acquire();
    const second = lock.acquire();
    const third = watch(lock.acquire());
    first.release();
    first.release();
    const holder = await second;
    await drained();
    expect(third.state).toBe('pending');
    holder.release();
    await drained();
    expect(third.state).toBe('fulfilled');
    (await (third.value as { release(): unknown })).release();
  });

  test('an abort rejects with signal.reason itself, and the next waiter keeps its place', async () => {
    const lock = make();
    const first = await lock.acquire();
    const controller = new AbortController();
    const aborted = watch(lock.acquire({ signal: controller.signal }));
    const next = watch(lock.acquire());
    const reason = { not: 'even an error' };
    controller.abort(reason);
    await drained();
    expect(aborted).toMatchObject({ state: 'rejected', times: 1 });
    expect(aborted.reason).toBe(reason);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    first.release();
    await drained();
    expect(next.state).toBe('fulfilled');
    next.value?.release();
    expect(lock.free()).toBe(true);
  });

  test('a signal that is aborted already rejects even when the lock is free, and has no other effect', async () => {
    const lock = make();
    const reason = new Error('too late');
    let ran = false;
    const task = () => {
      ran = true;
    };
    await expect(lock.run(task, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(lock.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(ran).toBe(false);
    expect(lock.free()).toBe(true);
  });

  test('an abort after the grant has no effect', async () => {
    const lock = make();
    const first = await lock.acquire();
    const controller = new AbortController();
    const second = lock.acquire({ signal: controller.signal });
    first.release();
    controller.abort();
    const permit = await second;
    expect(lock.free()).toBe(false);
    permit.release();
    expect(lock.free()).toBe(true);
  });

  test('an abort before the release, in the same turn, loses no permit', async () => {
    const lock = make();
    const first = await lock.acquire();
    const controller = new AbortController();
    const aborted = watch(lock.acquire({ signal: controller.signal }));
    const next = watch(lock.acquire());
    await drained();
    controller.abort();
    first.release();
    await drained();
    expect([aborted.state, next.state]).toEqual(['rejected', 'fulfilled']);
    next.value?.release();
    expect(lock.free()).toBe(true);
  });

  test('a waiter gives up after waitTimeoutMs, with an error that has its stack and its time', async () => {
    const lock = make();
    const first = await lock.acquire();
    async function theCaller() {
      return await lock.acquire({ waitTimeoutMs: 250 });
    }
    const waiter = watch(theCaller());
    await drained();
    vi.advanceTimersByTime(249);
    await drained();
    expect(waiter.state).toBe('pending');
    vi.advanceTimersByTime(1);
    await drained();
    expect(waiter.reason).toMatchObject({
      name: 'WaitTimeoutError',
      code: 'ERR_WAIT_TIMEOUT',
      waitedMs: 250,
    });
    expect((waiter.reason as Error).message).toContain('250 ms');
    expect((waiter.reason as Error).stack).toContain('theCaller');
    first.release();
    expect(lock.free()).toBe(true);
  });

  test('a grant removes the timeout', async () => {
    const lock = make();
    const first = await lock.acquire();
    const second = lock.acquire({ waitTimeoutMs: 1_000 });
    first.release();
    const permit = await second;
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    expect(lock.free()).toBe(false);
    permit.release();
  });

  test("a task's error passes through untouched and gives the lock back", async () => {
    const lock = make();
    const error = { plain: 'object' };
    const throwing = lock.run(() => {
      throw error;
    });
    await expect(throwing).rejects.toBe(error);
    await expect(lock.run(() => Promise.reject(error))).rejects.toBe(error);
    const holder = await lock.acquire();
    const queued = lock.run(() => {
      throw error;
    });
    holder.release();
    await expect(queued).rejects.toBe(error);
    expect(lock.free()).toBe(true);
  });

  test('a task may return a thenable, even one that settles twice', async () => {
    const lock = make();
    const twice = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is about
      then(resolve: (value: string) => void) {
        resolve('first');
        resolve('second');
      },
    };
    await expect(lock.run(() => twice as PromiseLike<string>)).resolves.toBe('first');
    expect(lock.free()).toBe(true);
  });

  test("a queued task runs in its caller's async context", async () => {
    const lock = make();
    const storage = new AsyncLocalStorage<string>();
    const holder = await storage.run('holder', () => lock.acquire());
    const seen: (string | undefined)[] = [];
    const tasks = ['a', 'b', 'c'].map((name) =>
      storage.run(name, () =>
        lock.run(async () => {
          seen.push(storage.getStore());
          await undefined;
          seen.push(storage.getStore());
        }),
      ),
    );
    storage.run('releaser', () => holder.release());
    await Promise.all(tasks);
    expect(seen).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  });

  test('10,000 waiters share one listener on their signal, and one abort ends them all', async () => {
    const lock = make();
    const holder = await lock.acquire();
    const controller = new AbortController();
    const waiters = Array.from({ length: 10_000 }, () => lock.acquire({ signal: controller.signal }));
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort('over');
    const outcomes = await Promise.allSettled(waiters);
    expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === 'over')).toBe(
      true,
    );
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(lock.waiting()).toBe(0);
    holder.release();
    expect(lock.free()).toBe(true);
  });

  test.each([
    ['task', 'no function', (lock: ReturnType<typeof make>) => lock.run('no function' as never)],
    ['options', '5', (lock: ReturnType<typeof make>) => lock.run(() => {}, 5 as never)],
    ['waitTimeoutMs', 'NaN', (lock: ReturnType<typeof make>) => lock.acquire({ waitTimeoutMs: Number.NaN })],
    ['waitTimeoutMs', '-1', (lock: ReturnType<typeof make>) => lock.acquire({ waitTimeoutMs: -1 })],
    [
      'waitTimeoutMs',
      '"5"',
      (lock: ReturnType<typeof make>) => lock.acquire({ waitTimeoutMs: '5' as never }),
    ],
    ['signal', 'an object', (lock: ReturnType<typeof make>) => lock.acquire({ signal: {} as never })],
  ])('a bad %s (%s) rejects at once, by name, and nothing is held', async (name, value, call) => {
    const lock = make();
    const refused = await call(lock).then(
      () => undefined,
      (error: Error) => error,
    );
    expect(refused?.constructor === TypeError || refused?.constructor === RangeError).toBe(true);
    expect(refused?.message).toContain(name);
    expect(refused?.message).toContain(value);
    expect(lock.free()).toBe(true);
  });
});

describe.each(lockLikes.filter(({ make }) => make().close !== undefined))('$name', ({ make }) => {
  test('after close() every waiter rejects with ClosedError, and the holder may finish', async () => {
    const lock = make();
    const holder = await lock.acquire();
    const waiters = [watch(lock.acquire()), watch(lock.run(() => {}))];
    lock.close?.();
    await drained();
    for (const waiter of waiters) expect(waiter.reason).toMatchObject({ code: 'ERR_CLOSED' });
    await expect(lock.acquire()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    holder.release();
    await drained();
    expect(lock.free()).toBe(true);
  });
});
