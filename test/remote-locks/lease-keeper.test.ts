/** The keeper and its leases, before a database in memory and in manual time. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { LeaseLostError, WaitTimeoutError } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LeaseKeeper, type LeaseOptions } from '../../src/remote-locks/lease-keeper.js';
import { watch } from '../support/lock-likes.js';
import { MemoryEngine } from './support/memory-engine.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function keeper(engine = new MemoryEngine(), terms: LeaseOptions = { ttlMs: 1_000 }) {
  return { engine, keeper: new LeaseKeeper<string>({}, engine, String, terms) };
}

describe('lease keeper: the line', () => {
  test('LK1: callers of one key go first come, first served, with one request under way', async () => {
    const { engine, keeper: first } = keeper();
    const order: number[] = [];
    const runs = [1, 2, 3].map((n) => first.run('key', () => void order.push(n)));
    await pass(0);
    expect(engine.requests.length).toBeLessThanOrEqual(3);
    await pass(1_000);
    await Promise.all(runs);
    expect(order).toEqual([1, 2, 3]);
    expect(new Set(engine.requests.map(({ owner }) => owner)).size).toBe(3);
  });

  test('another process gets the key when this one gives it up, and not before', async () => {
    const engine = new MemoryEngine();
    const [one, other] = [keeper(engine).keeper, keeper(engine).keeper];
    const lease = await one.acquire('key');
    const wait = watch(other.acquire('key'));
    await pass(900);
    expect(wait.state).toBe('pending');
    await lease.release();
    await pass(300);
    expect(wait.state).toBe('fulfilled');
  });

  test('LK3: what is granted after the caller has left is given back', async () => {
    const { engine, keeper: one } = keeper();
    const controller = new AbortController();
    const wait = watch(one.acquire('key', { signal: controller.signal }));
    controller.abort('enough');
    await pass(0);
    expect(wait).toMatchObject({ state: 'rejected', reason: 'enough' });
    expect(engine.holders.size).toBe(0);
    expect(engine.requests[0]?.signal.aborted).toBe(true);
  });

  test('LK4: a waiter who times out while the database hangs is told at once, and of what', async () => {
    const { engine, keeper: one } = keeper();
    engine.trouble = 'hangs';
    const wait = watch(one.acquire('key', { waitTimeoutMs: 50 }));
    await pass(50);
    expect(wait.reason).toBeInstanceOf(WaitTimeoutError);
    expect(wait.reason).toMatchObject({ key: 'key', waitedMs: 50, limit: 1 });
  });

  test('LK4: a database that cannot be asked is the head’s error, untouched; the next one is asked for anew', async () => {
    const { engine, keeper: one } = keeper();
    const refused = new Error('connection refused');
    vi.spyOn(engine, 'acquire').mockRejectedValueOnce(refused);
    const [first, second] = [watch(one.acquire('key')), watch(one.acquire('key'))];
    await pass(10);
    expect(first.reason).toBe(refused);
    expect(second.state).toBe('fulfilled');
  });

  test('a database that never answers holds nobody up for longer than the time to live', async () => {
    const { engine, keeper: one } = keeper();
    engine.trouble = 'hangs';
    const wait = watch(one.acquire('key'));
    await pass(1_000);
    expect(wait.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    engine.trouble = 'none';
    await pass(1_000);
    expect(watch(one.acquire('key')).state).toBe('pending');
    await pass(10);
    expect(engine.holders.size).toBe(1);
  });

  test('LK2: an idle key costs nothing', async () => {
    const { engine, keeper: one } = keeper();
    for (let i = 0; i < 100; i++) await one.run(`key ${i}`, () => {});
    await pass(0);
    expect(engine.holders.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a task runs in the context of its caller', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { keeper: one } = keeper();
    const seen = ['a', 'b'].map((name) => storage.run(name, () => one.run('key', () => storage.getStore())));
    await pass(100);
    expect(await Promise.all(seen)).toEqual(['a', 'b']);
  });

  test.each([
    [{ ttlMs: 5 }, 'ttlMs'],
    [{ ttlMs: Infinity }, 'ttlMs'],
    [{ ttlMs: '1000' as unknown as number }, 'ttlMs'],
    [{ maxHoldMs: -1 }, 'maxHoldMs'],
  ])('%o is refused by name: %s', (terms, name) => {
    expect(() => keeper(new MemoryEngine(), terms)).toThrow(name);
  });
});

describe('lease keeper: the lease', () => {
  test('is prolonged while it is held, and no longer', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    await pass(5_000);
    expect(lease.signal.aborted).toBe(false);
    expect(engine.renewals).toBeGreaterThanOrEqual(14);
    await lease.release();
    const { renewals } = engine;
    await pass(5_000);
    expect(engine.renewals).toBe(renewals);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('RL1: renewals that fail are no loss as long as one succeeds before the deadline', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    engine.trouble = 'fails';
    await pass(800);
    expect(lease.signal.aborted).toBe(false);
    engine.trouble = 'none';
    await pass(5_000);
    expect(lease.signal.aborted).toBe(false);
  });

  test.each(['fails', 'hangs'] as const)(
    'RL1: a database that %s is a loss at the deadline, before the key can be taken',
    async (trouble) => {
      const { engine, keeper: one } = keeper();
      const lease = await one.acquire('key');
      engine.trouble = trouble;
      await pass(940);
      expect(lease.signal.aborted).toBe(false);
      await pass(20);
      expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
      expect(lease.signal.reason.message).toContain('"key"');
      expect(engine.holders.get('key')?.endsAtMs).toBeGreaterThan(Date.now());
    },
  );

  test('RL1: after a blocked event loop the signal tells the truth before any timer fires', async () => {
    const { keeper: one } = keeper();
    const lease = await one.acquire('key');
    vi.setSystemTime(Date.now() + 1_500);
    expect(lease.signal.aborted).toBe(true);
  });

  test('RL2: a key that is somebody else’s is a loss with the next renewal', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    engine.holders.delete('key');
    await pass(334);
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
  });

  test('RL2: an engine that notices a loss by itself is believed at once', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const cause = new Error('terminated');
    engine.requests[0]?.lost(cause);
    expect(lease.signal.reason).toMatchObject({ code: 'ERR_LEASE_LOST', cause });
  });

  test('RL3: a loss is told once, and a release is none', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const told = vi.fn();
    lease.signal.addEventListener('abort', told);
    await lease.release();
    engine.requests[0]?.lost(new Error('too late'));
    await pass(5_000);
    expect(told).not.toHaveBeenCalled();
  });

  test('RL4: a release never throws, and does not wait for a database that hangs', async () => {
    const { engine, keeper: one } = keeper();
    const [failing, hanging] = [await one.acquire('a'), await one.acquire('b')];
    engine.trouble = 'fails';
    await failing.release();
    engine.trouble = 'hangs';
    const release = watch(Promise.resolve(hanging.release()));
    await pass(1_000);
    expect(release.state).toBe('fulfilled');
    expect(hanging.signal.aborted).toBe(false);
  });

  test('the result of the task is kept, whatever becomes of the lock', async () => {
    const { engine, keeper: one } = keeper();
    const run = watch(
      one.run('key', async (lease) => {
        engine.holders.delete('key');
        await new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
        engine.trouble = 'fails';
        return 'RESULT';
      }),
    );
    await pass(2_000);
    expect(run).toMatchObject({ state: 'fulfilled', value: 'RESULT' });
  });

  test('a lease is not prolonged beyond maxHoldMs', async () => {
    const { keeper: one } = keeper(new MemoryEngine(), { ttlMs: 1_000, maxHoldMs: 3_000 });
    const lease = await one.acquire('key');
    await pass(2_900);
    expect(lease.signal.aborted).toBe(false);
    await pass(1_500);
    expect(lease.signal.aborted).toBe(true);
  });

  test('releaseAll gives up everything', async () => {
    const { engine, keeper: one } = keeper();
    await Promise.all(['a', 'b', 'c'].map((key) => one.acquire(key)));
    await one.releaseAll();
    expect(engine.holders.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
