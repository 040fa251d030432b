/** The README's claims about other packages, with the versions in package.json, beside the behaviour of this one. */
import AsyncLock from 'async-lock';
import { Mutex as AsyncMutex, withTimeout } from 'async-mutex';
import { Sema } from 'async-sema';
import { bulkhead } from 'cockatiel';
import { createPool } from 'generic-pool';
import { ConnectionPool, KeyedMutex, Mutex, Semaphore } from 'latchkey';
import { Pool as Tarn } from 'tarn';
import { describe, expect, test, vi } from 'vitest';
import { drained, microtasks, watch } from '../support/lock-likes.js';

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe('giving up a wait', () => {
  test('async-mutex keeps waiters that timed out in its queue: the lock is taken and dropped for each', async () => {
    const mutex = new AsyncMutex();
    const impatient = withTimeout(mutex, 1);
    const release = await mutex.acquire();
    const waiters = Array.from({ length: 10 }, () => watch(impatient.acquire()));
    await vi.waitFor(() => expect(waiters.every(({ state }) => state === 'rejected')).toBe(true));
    release();
    expect(mutex.isLocked()).toBe(true);
  });

  test('latchkey removes waiters that timed out from the queue', async () => {
    const mutex = new Mutex();
    const holder = await mutex.acquire();
    await Promise.allSettled(Array.from({ length: 10 }, () => mutex.acquire({ waitTimeoutMs: 1 })));
    expect(mutex.waiting).toBe(0);
    holder.release();
    expect(mutex.locked).toBe(false);
  });
});

describe('hand-over', () => {
  /** Which microtask after the first call's end lets a newcomer in, ahead of the waiter. */
  async function rejectedAfterQueueing(run: (task: () => Promise<void>) => Promise<void>): Promise<boolean> {
    let finish!: () => void;
    const first = run(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    await drained();
    const queued = watch(run(() => sleep(1)));
    await drained();
    finish();
    const newcomers = [];
    for (let i = 0; i < 30; i++) {
      newcomers.push(watch(run(() => sleep(1))));
      if (i % 2 === 1) await undefined;
    }
    await first;
    await vi.waitFor(() => expect(queued.state).not.toBe('pending'));
    return queued.state === 'rejected';
  }

  test('cockatiel lets a newcomer in and rejects the call that it had queued', async () => {
    const policy = bulkhead(1, 1);
    expect(await rejectedAfterQueueing((task) => policy.execute(task))).toBe(true);
  });

  test('latchkey serves a call that is queued', async () => {
    const semaphore = new Semaphore(1, { maxWaiting: 1 });
    expect(await rejectedAfterQueueing((task) => semaphore.run(task))).toBe(false);
  });
});

describe('stray releases', () => {
  test('async-sema admits two holders of one permit after one release too many', async () => {
    const semaphore = new Sema(1);
    await semaphore.acquire();
    semaphore.release();
    semaphore.release();
    expect([semaphore.tryAcquire(), semaphore.tryAcquire()].filter(Boolean)).toHaveLength(2);
  });

  test('a handle of latchkey releases once', async () => {
    const semaphore = new Semaphore(1);
    const permit = await semaphore.acquire();
    permit.release();
    permit.release();
    expect([semaphore.tryAcquire(), semaphore.tryAcquire()].filter(Boolean)).toHaveLength(1);
  });
});

describe('several keys', () => {
  test('async-lock deadlocks when two callers want them in opposite order', async () => {
    const lock = new AsyncLock({ timeout: 50 });
    const holders = ['a', 'b'].map((key) => lock.acquire(key, () => sleep(5)));
    const both = [
      ['a', 'b'],
      ['b', 'a'],
    ].map((keys) => lock.acquire(keys, () => microtasks(3)));
    await Promise.all(holders);
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status)).toContain('rejected');
  });

  test('with latchkey they do not', async () => {
    const mutex = new KeyedMutex<string>();
    const holders = ['a', 'b'].map((key) => mutex.run(key, () => sleep(5)));
    const both = [
      ['a', 'b'],
      ['b', 'a'],
    ].map((keys) => mutex.runAll(keys, () => microtasks(3)));
    await Promise.all(holders);
    await expect(Promise.all(both)).resolves.toHaveLength(2);
  });
});

describe('max', () => {
  /** A resource that takes a moment to close; counts how many were open at once. */
  function counting() {
    const count = { open: 0, peak: 0 };
    return {
      count,
      create: async () => {
        count.peak = Math.max(count.peak, ++count.open);
        return {};
      },
      destroy: async () => {
        await sleep(5);
        count.open--;
      },
    };
  }

  test('generic-pool opens more than max while it closes', async () => {
    const { count, create, destroy } = counting();
    const pool = createPool({ create, destroy }, { max: 1 });
    for (let i = 0; i < 5; i++) pool.destroy(await pool.acquire());
    expect(count.peak).toBeGreaterThan(1);
  });

  test('tarn opens more than max while it closes', async () => {
    const { count, create, destroy } = counting();
    let valid = true;
    const pool = new Tarn({ create, destroy, validate: () => valid, min: 0, max: 1 });
    for (let i = 0; i < 5; i++) {
      valid = false;
      const pending = pool.acquire().promise;
      await microtasks(3);
      valid = true;
      pool.release(await pending);
    }
    await pool.destroy();
    expect(count.peak).toBeGreaterThan(1);
  });

  test('max of latchkey is the maximum', async () => {
    const { count, create, destroy } = counting();
    const pool = new ConnectionPool({ connect: create, close: destroy }, { max: 1 });
    for (let i = 0; i < 5; i++) (await pool.acquire()).destroy();
    await pool.close();
    expect(count.peak).toBe(1);
  });
});
