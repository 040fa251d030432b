/** A pool in the tests of its users: fake timers that leave `performance.now` alone, as those of node:test do. */
import { ConnectionPool } from 'latchkey';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watch } from '../support/lock-likes.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('P7, P18: a backoff ends with its timer, although the clock stands still', async () => {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000);
  let dials = 0;
  const connect = () => {
    if (++dials <= 3) throw new Error('refused');
    return {};
  };
  const pool = new ConnectionPool<object>({ connect, close() {} });
  for (const _ of [1, 2, 3]) {
    const refused = watch(pool.acquire({ waitTimeoutMs: Infinity }));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(refused.reason).toMatchObject({ code: 'ERR_CONNECT' });
  }
  const served = watch(pool.acquire({ waitTimeoutMs: Infinity }));
  await vi.advanceTimersByTimeAsync(0);
  expect(served.state).toBe('pending');
  await vi.advanceTimersByTimeAsync(5_000);
  expect([served.state, dials]).toEqual(['fulfilled', 4]);
  served.value?.release();
  await pool.close();
  clock.mockRestore();
});
