import { Mutex } from 'latchkey';
import { describe, expect, test } from 'vitest';
import { drained, watch } from '../support/lock-likes.js';

/** What a mutex has in common with all locks is tested in conformance.test.ts. */
describe('mutex', () => {
  test('a permit works with using, and knows whether it was released', async () => {
    const mutex = new Mutex();
    const kept = await mutex.acquire();
    expect([mutex.locked, kept.released]).toEqual([true, false]);
    kept.release();
    expect([mutex.locked, kept.released]).toEqual([false, true]);
    {
      using permit = await mutex.acquire();
      expect([mutex.locked, permit.released]).toEqual([true, false]);
    }
    expect(mutex.locked).toBe(false);
  });

  test('the permit of a waiter knows it as well', async () => {
    const mutex = new Mutex();
    const holder = mutex.tryAcquire();
    const waiter = watch(mutex.acquire());
    holder?.release();
    await drained();
    expect([waiter.value?.released, mutex.locked]).toEqual([false, true]);
    waiter.value?.[Symbol.dispose]();
    expect([waiter.value?.released, mutex.locked]).toEqual([true, false]);
  });

  test('M2: a caller waits while the mutex is locked, and only then', async () => {
    const mutex = new Mutex();
    const seen: unknown[] = [];
    const look = () => seen.push([mutex.locked, mutex.waiting]);
    const first = mutex.run(look);
    look();
    const second = mutex.run(look);
    look();
    await Promise.all([first, second]);
    look();
    expect(await mutex.run(() => 'at once')).toBe('at once');
    expect(seen).toEqual([
      [true, 0],
      [true, 0],
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
  });

  test('a waiter that timed out gets the counts', async () => {
    const mutex = new Mutex();
    const holder = mutex.tryAcquire();
    const late = mutex.acquire({ waitTimeoutMs: 0 });
    const error = await late.catch((reason) => reason);
    expect(error).toMatchObject({ code: 'ERR_WAIT_TIMEOUT', held: 1, waiting: 0, limit: 1 });
    expect(Object.hasOwn(error, 'cause')).toBe(false);
    holder?.release();
  });
});
