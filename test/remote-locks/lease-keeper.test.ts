/** The keeper and its leases, with a database in memory and in manual time. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { hostname } from 'node:os';
import { LeaseLostError, WaitTimeoutError } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LeaseEngine, LeaseRequest } from '../../src/remote-locks/lease-engine.js';
import { LeaseKeeper } from '../../src/remote-locks/lease-keeper.js';
import type { LeaseOptions } from '../../src/remote-locks/lease-options.js';
import { watch } from '../support/lock-likes.js';
import { MemoryEngine } from './support/memory-engine.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function keeper(engine = new MemoryEngine(), options: LeaseOptions = { ttlMs: 1_000 }) {
  return { engine, keeper: new LeaseKeeper<string>({}, engine, String, options) };
}

describe('lease keeper: the queue', () => {
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

  test('LK3: a grant that comes after the caller has left is released', async () => {
    const { engine, keeper: one } = keeper();
    const controller = new AbortController();
    const wait = watch(one.acquire('key', { signal: controller.signal }));
    controller.abort('enough');
    await pass(0);
    expect(wait).toMatchObject({ state: 'rejected', reason: 'enough' });
    expect(engine.holders.size).toBe(0);
    expect(engine.requests[0]?.signal.aborted).toBe(true);
  });

  test('LK3: a possible grant is released when the answer was lost, or is late', async () => {
    const { engine, keeper: one } = keeper();
    const acquire = engine.acquire.bind(engine);
    engine.acquire = async (request) => {
      await acquire(request);
      throw new Error('the answer was lost');
    };
    await expect(one.acquire('key')).rejects.toThrow('the answer was lost');
    await pass(0);
    expect(engine.holders.size).toBe(0);
    engine.acquire = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 900));
      const answer = await acquire(request);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      return answer;
    };
    const wait = watch(one.acquire('key'));
    await pass(1_000);
    expect(wait.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    await pass(0);
    expect(engine.holders.size).toBe(0);
  });

  test('LK4: a waiter that times out while the database hangs rejects at once, with the key and the counts', async () => {
    const { engine, keeper: one } = keeper();
    engine.trouble = 'hangs';
    const wait = watch(one.acquire('key', { waitTimeoutMs: 50 }));
    await pass(50);
    expect(wait.reason).toBeInstanceOf(WaitTimeoutError);
    expect(wait.reason).toMatchObject({ key: 'key', waitedMs: 50, limit: 1 });
  });

  test('LK4: a first failure of the database is the error of the head, untouched; the next waiter is served', async () => {
    const { engine, keeper: one } = keeper();
    const refused = new Error('connection refused');
    vi.spyOn(engine, 'acquire').mockRejectedValueOnce(refused);
    const [first, second] = [watch(one.acquire('key')), watch(one.acquire('key'))];
    await pass(10);
    expect(first.reason).toBe(refused);
    expect(second.state).toBe('fulfilled');
  });

  test('LK5: a database that never answers holds up a caller for one time to live', async () => {
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

  test('LK2: an unused key leaves nothing behind', async () => {
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
  ])('%o is refused by name: %s', (options, name) => {
    expect(() => keeper(new MemoryEngine(), options)).toThrow(name);
  });
});

describe('lease keeper: the lease', () => {
  test('RL6: is renewed while it is held, and no longer', async () => {
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

  test('RL7: after a blocked event loop the signal shows the loss before any timer fires', async () => {
    const { keeper: one } = keeper();
    const lease = await one.acquire('key');
    vi.setSystemTime(Date.now() + 1_500);
    expect(lease.signal.aborted).toBe(true);
  });

  test('RL2: a key that another owner holds is a loss with the next renewal', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    engine.holders.delete('key');
    await pass(334);
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
  });

  test('RL2: a loss that the engine reports by itself counts at once', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const cause = new Error('terminated');
    engine.requests[0]?.lost(cause);
    expect(lease.signal.reason).toMatchObject({ code: 'ERR_LEASE_LOST', cause });
  });

  test('RL2: a grant whose session has ended before the answer is not given to a caller, who is served next', async () => {
    const { engine, keeper: one } = keeper();
    const acquire = engine.acquire.bind(engine);
    engine.acquire = async (request) => {
      const answer = await acquire(request);
      if (engine.requests.length === 1) {
        engine.holders.delete('key');
        request.lost(new Error('the session has ended'));
      }
      return answer;
    };
    const wait = watch(one.acquire('key'));
    await pass(0);
    expect(wait.state).toBe('pending');
    await pass(1_000);
    expect(wait.state).toBe('fulfilled');
    expect(engine.requests).toHaveLength(2);
    expect(wait.value!.signal.aborted).toBe(false);
  });

  test('RL3: a loss aborts once, and a release is no loss', async () => {
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

  test('the result of the task is kept, also when the lock is lost', async () => {
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

  test('RL6: a lease is not renewed beyond maxHoldMs', async () => {
    const { keeper: one } = keeper(new MemoryEngine(), { ttlMs: 1_000, maxHoldMs: 3_000 });
    const lease = await one.acquire('key');
    await pass(2_900);
    expect(lease.signal.aborted).toBe(false);
    await pass(1_500);
    expect(lease.signal.aborted).toBe(true);
  });

  test('releaseAll releases every lease', async () => {
    const { engine, keeper: one } = keeper();
    await Promise.all(['a', 'b', 'c'].map((key) => one.acquire(key)));
    await one.releaseAll();
    expect(engine.holders.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('lease keeper: a database that fails', () => {
  test('LK5: an outage is reported to all of twenty waiters within one time to live', async () => {
    const { engine, keeper: one } = keeper();
    engine.trouble = 'hangs';
    const waits = Array.from({ length: 20 }, () => watch(one.acquire('key')));
    await pass(1_000);
    expect(waits.map(({ reason }) => (reason as { code?: string })?.code)).toEqual(
      Array(20).fill('ERR_ATTEMPT_TIMEOUT'),
    );
    expect(new Set(waits.map(({ reason }) => reason)).size).toBe(20);
  });

  test('LK5: the time since the last answer counts, so that a pause between two requests delays no report', async () => {
    const engine = new MemoryEngine();
    const [holder, { keeper: one }] = [await keeper(engine).keeper.acquire('key'), keeper(engine)];
    const waits = Array.from({ length: 20 }, () => watch(one.acquire('key')));
    await pass(900);
    // In the middle of a pause.
    const { length } = engine.requests;
    while (engine.requests.length === length) await pass(1);
    engine.trouble = 'hangs';
    await pass(999);
    expect(engine.requests).toHaveLength(length + 2);
    await pass(2);
    expect(waits.map(({ state }) => state)).toEqual(waits.map(() => 'rejected'));
    await holder.release();
    // Half of the time to live is left for the answer, however long the pause was.
    const short = new MemoryEngine();
    const [long, { keeper: other }] = [
      await keeper(short, { ttlMs: 60_000 }).keeper.acquire('key'),
      keeper(short, { ttlMs: 200 }),
    ];
    const wait = watch(other.acquire('key'));
    await pass(5_000);
    const asked = short.requests.length;
    while (short.requests.length === asked) await pass(1);
    short.trouble = 'hangs';
    while (short.requests.length === asked + 1) await pass(1);
    await pass(98);
    expect(wait.state).toBe('pending');
    await pass(3);
    expect(wait.state).toBe('rejected');
    void long.release();
  });

  test('LK5: only the time since the last answer counts, not the time since the first', async () => {
    const engine = new MemoryEngine();
    const [holder, { keeper: one }] = [await keeper(engine).keeper.acquire('key'), keeper(engine)];
    const wait = watch(one.acquire('key'));
    await pass(3_000);
    const acquire = engine.acquire.bind(engine);
    engine.acquire = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 650));
      return acquire(request);
    };
    await pass(3_000);
    expect(wait.state).toBe('pending');
    await holder.release();
    await pass(2_000);
    expect(wait.state).toBe('fulfilled');
  });

  test('LK2: idle resolves when nothing is held and nobody waits, and not before', async () => {
    const { keeper: one } = keeper();
    await one.idle();
    const lease = await one.acquire('key');
    const idle = watch(one.idle());
    await pass(100);
    expect(idle.state).toBe('pending');
    await lease.release();
    await pass(0);
    expect(idle.state).toBe('fulfilled');
  });

  test('LK5: a second failure in a row is reported to everyone; an answer in between starts the count again', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const acquire = vi.spyOn(engine, 'acquire');
    const waits = Array.from({ length: 4 }, () => watch(one.acquire('key')));
    const states = () => waits.map(({ state }) => state);
    acquire.mockRejectedValueOnce(new Error('first'));
    await lease.release();
    await pass(0);
    expect(states()).toEqual(['rejected', 'fulfilled', 'pending', 'pending']);
    acquire.mockRejectedValueOnce(new Error('second')).mockRejectedValueOnce(new Error('third'));
    await waits[1]!.value!.release();
    await pass(0);
    expect(states()).toEqual(['rejected', 'fulfilled', 'rejected', 'rejected']);
    expect(waits[2]!.reason).not.toBe(waits[3]!.reason);
  });

  test('LK5: an outage of a database that fails at once takes two requests, not one per waiter', async () => {
    const { engine, keeper: one } = keeper();
    engine.trouble = 'fails';
    const waits = Array.from({ length: 20 }, () => watch(one.acquire('key')));
    await pass(10);
    expect(waits.every(({ state }) => state === 'rejected')).toBe(true);
    expect(engine.requests).toHaveLength(2);
    engine.trouble = 'none';
    await (await one.acquire('key')).release();
  });

  test('LK5: requests that wait for their turn at the database fail with the one that it does not answer', async () => {
    const engine = Object.assign(new MemoryEngine(), { maxRequests: 2 });
    const one = keeper(engine).keeper;
    engine.trouble = 'hangs';
    const waits = Array.from({ length: 10 }, (_, i) => watch(one.acquire(`key ${i}`)));
    await pass(0);
    expect(engine.requests).toHaveLength(2);
    await pass(1_000);
    expect(waits.every(({ state }) => state === 'rejected')).toBe(true);
  });

  test('LK5: failures that take long are an outage: every waiter of every key learns of it within one time to live', async () => {
    // One failure may take nearly all of the time to live, or a part of it.
    for (const [tookMs, requests] of [
      [900, 1],
      [500, 1],
      [499, 2],
      [200, 3],
    ] as const) {
      const engine = Object.assign(new MemoryEngine(), { maxRequests: 1 });
      const failure = new Error('no connection');
      const acquire = vi.spyOn(engine, 'acquire').mockImplementation(async () => {
        await new Promise((resolve) => setTimeout(resolve, tookMs));
        throw failure;
      });
      const one = keeper(engine).keeper;
      const waits = Array.from({ length: 40 }, (_, i) => watch(one.acquire(`key ${i % 20}`)));
      await pass(requests * tookMs - 1);
      // Those of the first keys fail one after the other.
      const failed = waits.filter(({ state }) => state === 'rejected').length;
      expect(failed).toBe(requests - 1);
      await pass(1);
      expect(waits.map(({ reason }) => reason)).toEqual(waits.map(() => failure));
      expect(acquire).toHaveBeenCalledTimes(requests);
      acquire.mockRestore();
      expect((await one.acquire('key')).key).toBe('key');
    }
  });

  test('LK5: a failure at once is that of one caller, however long nothing was asked, and while other requests are answered', async () => {
    const engine = Object.assign(new MemoryEngine(), { maxRequests: 1 });
    const one = keeper(engine).keeper;
    const acquire = vi.spyOn(engine, 'acquire');
    const asking = () => {
      acquire.mockRejectedValueOnce(new Error('of one'));
      return ['a', 'a', 'b', 'c'].map((key) => watch(one.run(key, () => {})));
    };
    const failures = (waits: { state: string }[]) => waits.map(({ state }) => state);
    const expected = ['rejected', 'fulfilled', 'fulfilled', 'fulfilled'];
    const first = asking();
    await pass(100);
    expect(failures(first)).toEqual(expected);
    await pass(10_000);
    const second = asking();
    await pass(100);
    expect(failures(second)).toEqual(expected);
    // Each answer takes long, and so does the failure after one.
    acquire.mockImplementation(async ({ key }) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      if (key === 'b') throw new Error('of one');
      return { token: 1n };
    });
    const third = ['a', 'b', 'b', 'c'].map((key) => watch(one.run(key, () => {})));
    await pass(700);
    expect(failures(third)).toEqual(['fulfilled', 'rejected', 'pending', 'pending']);
    await pass(300);
    expect(failures(third)).toEqual(['fulfilled', 'rejected', 'pending', 'fulfilled']);
  });

  test('maxRequests: no more requests at once, and every key is served', async () => {
    const engine = Object.assign(new MemoryEngine(), { maxRequests: 3 });
    const acquire = engine.acquire.bind(engine);
    let inside = 0;
    let most = 0;
    engine.acquire = async (request) => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
      return acquire(request);
    };
    const one = keeper(engine).keeper;
    const runs = Promise.all(Array.from({ length: 20 }, (_, i) => one.run(`key ${i}`, () => i)));
    await pass(200);
    expect(await runs).toHaveLength(20);
    expect(most).toBe(3);
  });

  test('LK6: a wake-up that never comes costs a quarter of a second, for every answer of the database', async () => {
    const engine = Object.assign(new MemoryEngine(), { onFreed: () => () => {} });
    const options = { ttlMs: 60_000 };
    const [one, other] = [keeper(engine, options).keeper, keeper(engine, options).keeper];
    const lease = await one.acquire('key');
    const wait = watch(other.acquire('key'));
    await pass(10_000);
    await lease.release();
    await pass(250);
    expect(wait.state).toBe('fulfilled');
  });

  test('LK6: a wake-up ends the pause, also one that comes before the pause begins', async () => {
    const engine = new MemoryEngine();
    let wake = () => {};
    Object.assign(engine, {
      onFreed(_key: string, woken: () => void) {
        wake = woken;
        return () => {};
      },
    });
    const [one, other] = [keeper(engine).keeper, keeper(engine).keeper];
    const lease = await one.acquire('key');
    const wait = watch(other.acquire('key'));
    await pass(900);
    await lease.release();
    const requests = engine.requests.length;
    wake();
    await pass(0);
    expect(engine.requests).toHaveLength(requests + 1);
    expect(wait.state).toBe('fulfilled');
  });

  test('LK7: each request has a name of its own, of 128 random bits drawn when it is made', async () => {
    const drawn = vi.spyOn(crypto, 'getRandomValues');
    const { engine, keeper: one } = keeper();
    expect(drawn).not.toHaveBeenCalled();
    for (let i = 0; i < 3; i++) await one.run('key', () => {});
    const owners = engine.requests.map(({ owner }) => owner);
    expect(new Set(owners).size).toBe(3);
    for (const owner of owners) expect(owner).toMatch(/^[^/]+\/[0-9a-f]{32}$/);
    expect(drawn).toHaveBeenCalledTimes(3);
    drawn.mockRestore();
  });

  test('a fraction of a millisecond is rounded up: databases count whole ones', async () => {
    const { engine, keeper: one } = keeper(new MemoryEngine(), { ttlMs: 10_000 / 3 });
    await one.run('key', () => {});
    expect(engine.requests[0]!.ttlMs).toBe(3_334);
  });

  test('the error of a caller that timed out says what its request was waiting for', async () => {
    const engine = new MemoryEngine();
    engine.acquire = ({ hint }) => {
      hint?.('no connection was free');
      return new Promise(() => {});
    };
    const wait = watch(keeper(engine).keeper.acquire('key', { waitTimeoutMs: 50 }));
    await pass(50);
    expect(String(wait.reason)).toContain('no connection was free');
  });
});

describe('lease keeper: holder', () => {
  test('has no host name where the process may not read it, as in Deno', async () => {
    using _ = vi.spyOn(process.getBuiltinModule('node:os'), 'hostname').mockImplementation(() => {
      throw new Error('requires sys access');
    });
    const { keeper: one } = keeper(new MemoryEngine());
    await one.acquire('key');
    expect(await one.holder('key')).toMatchObject({ owner: `unknown:${process.pid}` });
  });

  test('is the label of the process that holds the key, by default its host and its id', async () => {
    const engine = new MemoryEngine();
    const { keeper: one } = keeper(engine);
    const { keeper: other } = keeper(engine, { owner: 'worker/7', ttlMs: 1_000 });
    expect(await one.holder('key')).toBeUndefined();
    let lease = await one.acquire('key');
    expect(await other.holder('key')).toMatchObject({ owner: `${hostname()}:${process.pid}` });
    await lease.release();
    lease = await other.acquire('key');
    expect(await one.holder('key')).toEqual({ owner: 'worker/7', heldMs: undefined, leftMs: 1_000 });
    await lease.release();
    expect(await one.holder('key')).toBeUndefined();
  });

  test('a database that fails, hangs or cannot tell is an error, after one time to live at the latest', async () => {
    const engine = new MemoryEngine();
    const { keeper: one } = keeper(engine, { ttlMs: 1_000 });
    engine.trouble = 'fails';
    await expect(one.holder('key')).rejects.toThrow('connection refused');
    engine.trouble = 'hangs';
    const late = watch(one.holder('key'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(late.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    Object.assign(engine, { holder: undefined });
    await expect(one.holder('key')).rejects.toThrow('no holder method');
  });
});

describe('lease keeper: tryAcquire', () => {
  test('gets a free key with one request, and answers undefined for a taken one', async () => {
    const engine = new MemoryEngine();
    const [one, other] = [keeper(engine).keeper, keeper(engine).keeper];
    const lease = await one.tryAcquire('key');
    expect(lease).toMatchObject({ key: 'key' });
    expect(await other.tryAcquire('key')).toBeUndefined();
    expect(engine.requests.map(({ nowait }) => nowait)).toEqual([true, true]);
    expect(engine.releases).toBe(0);
    await lease!.release();
    await (await other.tryAcquire('key'))!.release();
    expect(engine.holders.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('sends no request while this process holds the key, waits for it or asks for it', async () => {
    const { engine, keeper: one } = keeper();
    const asking = one.acquire('key');
    expect(await one.tryAcquire('key')).toBeUndefined();
    const lease = await asking;
    expect(await one.tryAcquire('key')).toBeUndefined();
    expect(engine.requests).toHaveLength(1);
    await lease.release();
  });

  test('LK1: a caller that comes during the try waits for its answer, and is served next', async () => {
    const { engine, keeper: one } = keeper();
    const trying = one.tryAcquire('key');
    const wait = watch(one.acquire('key'));
    const lease = await trying;
    await pass(100);
    expect(wait.state).toBe('pending');
    expect(engine.requests).toHaveLength(1);
    await lease!.release();
    await pass(0);
    expect(wait.state).toBe('fulfilled');
  });

  test('LK3: a try that fails may have been granted, so it is released', async () => {
    const { engine, keeper: one } = keeper();
    const acquire = engine.acquire.bind(engine);
    engine.acquire = async (request) => {
      await acquire(request);
      throw new Error('the answer was lost');
    };
    await expect(one.tryAcquire('key')).rejects.toThrow('the answer was lost');
    await pass(0);
    expect(engine.holders.size).toBe(0);
  });
});

describe('lease keeper: close', () => {
  test('LK8: waiters and later callers are refused, holders are released, and nothing is left', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const waits = [watch(one.acquire('key')), watch(one.acquire('key', { waitTimeoutMs: 500 }))];
    await one.close();
    expect(waits.map(({ reason }) => (reason as { code?: string })?.code)).toEqual([
      'ERR_CLOSED',
      'ERR_CLOSED',
    ]);
    await expect(one.acquire('other')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(one.tryAcquire('other')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(lease.signal.aborted).toBe(false);
    expect(engine.holders.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('LK8: a grant that comes while it closes is released before it resolves', async () => {
    const { engine, keeper: one } = keeper();
    const acquire = engine.acquire.bind(engine);
    engine.acquire = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return acquire(request);
    };
    const [wait, trying] = [watch(one.acquire('a')), watch(one.tryAcquire('b'))];
    const closed = watch(one.close());
    await pass(50);
    expect(closed.state).toBe('pending');
    await pass(100);
    expect(closed.state).toBe('fulfilled');
    expect(wait.state).toBe('rejected');
    expect(trying.reason).toMatchObject({ code: 'ERR_CLOSED' });
    expect(engine.holders.size).toBe(0);
  });
});

describe('lease keeper: details that a careless change would break', () => {
  test('LK1, LK2: while a key is held, a waiter that leaves does not make the next one ask the database', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const controller = new AbortController();
    const first = watch(one.acquire('key', { signal: controller.signal }));
    controller.abort('enough');
    await pass(0);
    const second = watch(one.acquire('key'));
    await pass(300);
    expect([first.state, second.state, engine.requests.length]).toEqual(['rejected', 'pending', 1]);
    await lease.release();
    await pass(0);
    expect(second.state).toBe('fulfilled');
  });

  test('LK1: a waiter that comes during a try that is refused is served afterwards', async () => {
    const engine = new MemoryEngine();
    const [one, other] = [keeper(engine).keeper, keeper(engine).keeper];
    const held = await other.acquire('key');
    const trying = one.tryAcquire('key');
    const wait = watch(one.acquire('key'));
    expect(await trying).toBeUndefined();
    await held.release();
    await pass(300);
    expect(wait.state).toBe('fulfilled');
  });

  test('LK6: a waiter listens once, and a wake-up that comes while it asks is not lost', async () => {
    const engine = new MemoryEngine();
    let wake = () => {};
    const onFreed = vi.fn((_key: string, woken: () => void) => {
      wake = woken;
      return stop;
    });
    const stop = vi.fn();
    Object.assign(engine, { onFreed });
    const [one, other] = [keeper(engine, { ttlMs: 60_000 }).keeper, keeper(engine, { ttlMs: 60_000 }).keeper];
    const held = await one.acquire('key');
    const wait = watch(other.acquire('key'));
    await pass(2_000);
    expect(onFreed).toHaveBeenCalledTimes(1);
    const acquire = engine.acquire.bind(engine);
    let asked = 0;
    engine.acquire = async (request) => {
      const answer = await acquire(request);
      if (++asked === 1) wake();
      return answer;
    };
    wake();
    await pass(0);
    expect(asked).toBe(2);
    await held.release();
    wake();
    await pass(0);
    expect(wait.state).toBe('fulfilled');
    expect(stop).toHaveBeenCalledTimes(1);
  });

  test('LK8: close ends the pause of a request, and its signal aborts', async () => {
    const engine = new MemoryEngine();
    const [one, other] = [keeper(engine).keeper, keeper(engine).keeper];
    await one.acquire('key');
    const wait = watch(other.acquire('key'));
    await pass(400);
    const closed = watch(other.close());
    await pass(0);
    expect(closed.state).toBe('fulfilled');
    expect(wait.reason).toMatchObject({ code: 'ERR_CLOSED' });
    expect(engine.requests.at(-1)!.signal.aborted).toBe(true);
  });

  test('LK8: close waits until the possible grant of a lost request is released', async () => {
    const { engine, keeper: one } = keeper();
    let answer = () => {};
    vi.spyOn(engine, 'acquire').mockRejectedValueOnce(new Error('lost'));
    vi.spyOn(engine, 'release').mockReturnValueOnce(
      new Promise((resolve) => (answer = () => resolve(false))),
    );
    await expect(one.acquire('key')).rejects.toThrow('lost');
    const closed = watch(one.close());
    await pass(10);
    expect(closed.state).toBe('pending');
    answer();
    await pass(0);
    expect(closed.state).toBe('fulfilled');
  });

  test('a quick answer counts; a slow one is confirmed by a renewal, and not granted if that fails', async () => {
    const { engine, keeper: one } = keeper();
    const acquire = engine.acquire.bind(engine);
    let delayMs = 300;
    engine.acquire = async (request) => {
      const answer = await acquire(request);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return answer;
    };
    const quick = one.acquire('quick');
    await pass(300);
    await (await quick).release();
    expect(engine.renewals).toBe(0);
    delayMs = 400;
    const slow = watch(one.acquire('slow'));
    await pass(350);
    engine.holders.delete('slow');
    await pass(50);
    expect([engine.renewals, slow.state]).toEqual([1, 'pending']);
    delayMs = 0;
    await pass(10);
    expect(slow.state).toBe('fulfilled');
  });

  test('RL1: the deadline fires by itself, also for a holder that never reads its signal again', async () => {
    const { engine, keeper: one } = keeper();
    const { signal } = await one.acquire('key');
    const told = vi.fn();
    signal.addEventListener('abort', told);
    engine.trouble = 'hangs';
    await pass(949);
    expect(told).not.toHaveBeenCalled();
    await pass(1);
    expect(told).toHaveBeenCalledTimes(1);
  });

  test('RL1: the deadline is counted from the last renewal that was answered, and fires by itself', async () => {
    const { engine, keeper: one } = keeper();
    const { signal } = await one.acquire('key');
    const told = vi.fn();
    signal.addEventListener('abort', told);
    await pass(340);
    engine.trouble = 'hangs';
    await pass(942);
    expect(told).not.toHaveBeenCalled();
    await pass(3);
    expect(told).toHaveBeenCalledTimes(1);
  });

  test('RL5: a wall clock that is set back does not prolong a lease, and one that jumps ahead ends it', async () => {
    const { engine, keeper: one } = keeper();
    const [back, ahead] = [await one.acquire('back'), await one.acquire('ahead')];
    await ahead.release();
    vi.setSystemTime(Date.now() - 3_600_000);
    engine.trouble = 'hangs';
    await pass(949);
    expect(back.signal.aborted).toBe(false);
    await pass(1);
    expect(back.signal.aborted).toBe(true);
    engine.trouble = 'none';
    const other = await keeper().keeper.acquire('ahead');
    vi.setSystemTime(Date.now() + 950);
    expect(other.signal.aborted).toBe(true);
  });

  test('RL4, RL6: a lease that is released is renewed no more, and a renewal under way does not bring it back', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    let answer = () => {};
    vi.spyOn(engine, 'renew').mockImplementationOnce(
      () => new Promise((resolve) => (answer = () => resolve(false))),
    );
    await pass(334);
    await lease.release();
    answer();
    await pass(5_000);
    expect(lease.signal.aborted).toBe(false);
    expect(engine.renew).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('RL1: a renewal that failed is tried again after a twentieth of the time to live', async () => {
    const { engine, keeper: one } = keeper();
    await one.acquire('key');
    const renew = vi.spyOn(engine, 'renew').mockRejectedValueOnce(new Error('reset'));
    await pass(334);
    expect(renew).toHaveBeenCalledTimes(1);
    await pass(50);
    expect(renew).toHaveBeenCalledTimes(2);
  });

  test.each([
    [100, 95],
    [10_000, 9_500],
  ])('RL1: with a time to live of %d ms, the deadline is after %d ms', async (ttlMs, deadlineMs) => {
    const { engine, keeper: one } = keeper(new MemoryEngine(), { ttlMs });
    const { signal } = await one.acquire('key');
    const told = vi.fn();
    signal.addEventListener('abort', told);
    engine.trouble = 'fails';
    await pass(deadlineMs - 1);
    expect(told).not.toHaveBeenCalled();
    await pass(1);
    expect(told).toHaveBeenCalledTimes(1);
  });
});

describe('lease keeper: engines that misbehave', () => {
  const broken = () => {
    throw new Error('broken');
  };

  test('an engine may answer without promises', async () => {
    const held = new Map<string, string>();
    const engine = {
      acquire({ key, owner }: LeaseRequest) {
        held.set(key, owner);
        return { token: 1n };
      },
      renew: (key: string, owner: string) => held.get(key) === owner,
      release: (key: string, owner: string) => held.get(key) === owner && held.delete(key),
      holder: (key: string) => ({ owner: held.get(key), heldMs: 0, leftMs: 0 }),
    } as unknown as LeaseEngine;
    const one = new LeaseKeeper<string>({}, engine, String, { ttlMs: 1_000, owner: 'me' });
    const lease = await one.acquire('key');
    await pass(2_000);
    expect([lease.signal.aborted, await one.holder('key')]).toMatchObject([false, { owner: 'me' }]);
    await lease.release();
    expect(held.size).toBe(0);
  });

  test('RL4: a release that throws at once reaches neither the holder nor the result of its task', async () => {
    const { engine, keeper: one } = keeper();
    engine.release = broken;
    await expect(one.run('key', () => 'value')).resolves.toBe('value');
    const lease = await one.acquire('other');
    await expect(lease.release()).resolves.toBeUndefined();
    expect(one.held).toBe(0);
    await one.close();
  });

  test('LK3: a request that throws at once rejects its caller only; a renewal that does so is tried again', async () => {
    const { engine, keeper: one } = keeper();
    const acquire = vi.spyOn(engine, 'acquire').mockImplementationOnce(broken);
    await expect(one.acquire('key')).rejects.toThrow('broken');
    const lease = await one.acquire('key');
    expect(acquire).toHaveBeenCalledTimes(2);
    const renew = vi.spyOn(engine, 'renew').mockImplementationOnce(broken);
    await pass(334 + 50);
    expect([renew.mock.calls.length, lease.signal.aborted]).toEqual([2, false]);
  });

  test.each<[string, () => unknown]>([
    ['throws', broken],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['returns nothing', () => undefined],
    ['returns a function that throws', () => broken],
  ])('LK6: an onFreed that %s costs no caller more than the hints', async (_, onFreed) => {
    const engine = Object.assign(new MemoryEngine(), { onFreed });
    const [one, other] = [keeper(engine as MemoryEngine).keeper, keeper(engine as MemoryEngine).keeper];
    for (const _round of [1, 2]) {
      const lease = await one.acquire('key');
      const wait = watch(other.acquire('key'));
      await pass(100);
      await lease.release();
      await pass(250);
      expect(wait.state).toBe('fulfilled');
      await wait.value?.release();
    }
  });

  test('LK6: a database that does not know when the key is free is asked as if it had not said it', async () => {
    const { engine, keeper: one } = keeper();
    const acquire = vi.spyOn(engine, 'acquire').mockResolvedValue({ freeInMs: Number.NaN });
    void one.acquire('key', { waitTimeoutMs: 1_000 }).catch(() => {});
    await pass(1_000);
    expect(acquire.mock.calls.length).toBeLessThan(20);
  });

  test.each([
    [undefined, 'engine must be an object, got undefined'],
    [{}, 'engine.acquire must be a function, got undefined'],
    [{ acquire() {}, renew() {} }, 'engine.release must be a function, got undefined'],
    [{ acquire() {}, renew() {}, release() {}, onFreed: 1 }, 'engine.onFreed must be a function, got 1'],
    [{ acquire() {}, renew() {}, release() {}, maxRequests: 0 }, 'engine.maxRequests must be a whole number'],
  ])('%j is refused as an engine, by what it lacks', (engine, message) => {
    expect(() => new LeaseKeeper({}, engine as unknown as LeaseEngine, String, {})).toThrow(message);
  });
});
