import { KeyedMutex } from 'latchkey';
import { describe, expect, test, vi } from 'vitest';
import { drained, watch } from '../support/lock-likes.js';

describe('keyed mutex', () => {
  test('keys do not wait for each other', async () => {
    const mutex = new KeyedMutex<string>();
    const a = await mutex.acquire('a');
    await expect(mutex.run('b', () => 'ran')).resolves.toBe('ran');
    expect([mutex.isLocked('a'), mutex.isLocked('b'), mutex.size]).toEqual([true, false, 1]);
    a.release();
    expect(mutex.size).toBe(0);
  });

  test('K2: an unused key takes no memory, whatever happened to it before', async () => {
    const mutex = new KeyedMutex<number>();
    const keys = Array.from({ length: 1_000 }, (_, key) => key);
    await Promise.allSettled(
      keys.flatMap((key) => [
        mutex.run(key, () => key),
        mutex.run(key, () => Promise.reject(new Error('no'))),
        mutex.acquire(key, { waitTimeoutMs: 0 }).then((lease) => lease.release()),
      ]),
    );
    expect(mutex.size).toBe(0);
  });

  test('keys are compared as in a Map: NaN is itself, 0 and -0 are one, objects are identities', () => {
    const mutex = new KeyedMutex<unknown>();
    expect(mutex.tryAcquire(Number.NaN)).toBeDefined();
    expect(mutex.tryAcquire(Number.NaN)).toBeUndefined();
    expect(mutex.tryAcquire(0)).toBeDefined();
    expect(mutex.tryAcquire(-0)).toBeUndefined();
    expect(mutex.tryAcquire({})).toBeDefined();
    expect(mutex.tryAcquire({})).toBeDefined();
    expect(mutex.tryAcquire(undefined)).toBeDefined();
    expect(mutex.size).toBe(5);
  });

  test('a token is larger than that of every earlier grant of the key, in whatever order they are read', async () => {
    const mutex = new KeyedMutex<string>();
    const first = await mutex.acquire('key');
    first.release();
    const second = await mutex.acquire('key');
    expect(typeof second.token).toBe('bigint');
    expect(second.token > first.token).toBe(true);
    expect(first.token).toBe(first.token);
  });

  test("a lease's signal never aborts in one process", async () => {
    const mutex = new KeyedMutex<string>();
    const { signal } = await mutex.run('key', (lease) => lease);
    expect(signal.aborted).toBe(false);
    expect(signal).toBeInstanceOf(AbortSignal);
  });

  test('a task may release its lease early, once', async () => {
    const mutex = new KeyedMutex<string>();
    const next = vi.fn();
    await mutex.run('key', async (lease) => {
      const waiter = mutex.run('key', next);
      lease.release();
      await waiter;
      expect(mutex.isLocked('key')).toBe(false);
    });
    expect(next).toHaveBeenCalledOnce();
    expect(mutex.size).toBe(0);
  });

  test('a lease works with using and with await using, and knows whether it was released', async () => {
    const mutex = new KeyedMutex<string>();
    const kept = mutex.tryAcquire('key')!;
    expect(kept.released).toBe(false);
    kept.release();
    expect(kept.released).toBe(true);
    {
      using lease = await mutex.acquire('key');
      expect(mutex.isLocked(lease.key)).toBe(true);
    }
    {
      await using lease = await mutex.acquire('key');
      expect(lease.released).toBe(false);
    }
    expect(mutex.size).toBe(0);
  });

  test('a wait that timed out names its key', async () => {
    vi.useFakeTimers();
    const mutex = new KeyedMutex<string>();
    mutex.tryAcquire('account:7');
    const waiter = watch(mutex.acquire('account:7', { waitTimeoutMs: 50 }));
    await vi.advanceTimersByTimeAsync(50);
    vi.useRealTimers();
    expect(waiter.reason).toMatchObject({ key: 'account:7', waitedMs: 50, held: 1, waiting: 0, limit: 1 });
    expect((waiter.reason as Error).message).toBe(
      'gave up after waiting 50 ms for "account:7" (1 of 1 held, 0 waiting)',
    );
  });
});

describe('keyed mutex, several keys', () => {
  test('K4: two callers that want the same keys in opposite order do not deadlock', async () => {
    const mutex = new KeyedMutex<string>();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        mutex.runAll(i % 2 === 0 ? ['a', 'b', 'c'] : ['c', 'b', 'a'], async () => {
          await undefined;
          order.push(i);
        }),
      ),
    );
    expect(order).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(mutex.size).toBe(0);
  });

  test('K4: callers on a ring of keys, each with its neighbour, all get through', async () => {
    const mutex = new KeyedMutex<number>();
    const done: number[] = [];
    const forks = 5;
    await Promise.all(
      Array.from({ length: forks * 20 }, (_, i) =>
        mutex.runAll([i % forks, (i + 1) % forks], async () => {
          await undefined;
          done.push(i);
        }),
      ),
    );
    expect(done).toHaveLength(forks * 20);
    expect(mutex.size).toBe(0);
  });

  test('duplicates count once, and no keys at all is granted at once', async () => {
    const mutex = new KeyedMutex<string>();
    const permit = await mutex.acquireAll(['a', 'a', 'b']);
    expect(mutex.size).toBe(2);
    permit.release();
    expect([mutex.size, permit.released]).toEqual([0, true]);
    (await mutex.acquireAll([])).release();
  });

  test('a permit for several keys works with using, and knows whether it was released', async () => {
    const mutex = new KeyedMutex<string>();
    const kept = await mutex.acquireAll(['a', 'b']);
    expect([kept.released, mutex.size]).toEqual([false, 2]);
    kept.release();
    expect([kept.released, mutex.size]).toEqual([true, 0]);
    {
      using permit = await mutex.acquireAll(['a', 'b']);
      expect([permit.released, mutex.size]).toEqual([false, 2]);
    }
    expect(mutex.size).toBe(0);
  });

  test('an abort releases the keys already granted and leaves the queues of the others', async () => {
    const mutex = new KeyedMutex<string>();
    const b = await mutex.acquire('b');
    const controller = new AbortController();
    const all = watch(mutex.acquireAll(['a', 'b'], { signal: controller.signal }));
    const a = watch(mutex.acquire('a'));
    await drained();
    expect([all.state, a.state]).toEqual(['pending', 'pending']);
    controller.abort('changed my mind');
    await drained();
    expect(all.reason).toBe('changed my mind');
    expect(a.state).toBe('fulfilled');
    a.value?.release();
    b.release();
    expect(mutex.size).toBe(0);
  });

  test('the error of a timeout has the keys that were wanted and the number that were granted', async () => {
    vi.useFakeTimers();
    const mutex = new KeyedMutex<string>();
    mutex.tryAcquire('b');
    const all = watch(mutex.runAll(['a', 'b'], () => {}, { waitTimeoutMs: 10 }));
    await vi.advanceTimersByTimeAsync(10);
    vi.useRealTimers();
    expect(all.reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT', key: ['a', 'b'], held: 1, limit: 2 });
    expect(mutex.size).toBe(1);
  });

  test('K3: a single caller that arrives later does not overtake a caller of several keys', async () => {
    const mutex = new KeyedMutex<string>();
    const order: string[] = [];
    const holder = await mutex.acquire('a');
    const all = mutex.runAll(['a', 'b'], () => order.push('all'));
    const later = mutex.run('b', () => order.push('later'));
    holder.release();
    await Promise.all([all, later]);
    expect(order).toEqual(['all', 'later']);
  });

  test('a string is refused as a list of keys, because it would lock its letters', async () => {
    const mutex = new KeyedMutex<string>();
    await expect(mutex.acquireAll('user:1')).rejects.toThrow(
      new TypeError('keys must be an iterable of keys, got the string "user:1"'),
    );
    await expect(mutex.runAll(5 as never, () => {})).rejects.toBeInstanceOf(TypeError);
    expect(mutex.size).toBe(0);
  });

  test('keys whose iterator throws lock nothing', async () => {
    const mutex = new KeyedMutex<number>();
    function* keys() {
      yield 1;
      throw new Error('no more');
    }
    await expect(mutex.acquireAll(keys())).rejects.toThrow('no more');
    expect(mutex.size).toBe(0);
  });

  test('without a type argument keys are strings: a compiler refuses others', async () => {
    const mutex = new KeyedMutex();
    // @ts-expect-error 7 and '7' would be two keys.
    await mutex.run(7, () => {});
    // @ts-expect-error Objects are keys by identity.
    await mutex.run({ id: 7 }, () => {});
    await new KeyedMutex<number>().run(7, () => {});
    expect(mutex.size).toBe(0);
  });
});
