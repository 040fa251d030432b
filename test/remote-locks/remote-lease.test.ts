/** One lease: its timers, its end, and what it tells; with a database in memory and in manual time. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { LeaseLostError } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LeaseKeeper } from '../../src/remote-locks/lease-keeper.js';
import type { LeaseOptions } from '../../src/remote-locks/lease-options.js';
import { watch } from '../support/lock-likes.js';
import { MemoryEngine } from './support/memory-engine.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const source = {};

interface Settle {
  resolve(isOurs: boolean): void;
  reject(error: Error): void;
}

function keeper(engine = new MemoryEngine(), options: LeaseOptions = { ttlMs: 1_000 }) {
  return { engine, keeper: new LeaseKeeper<string>(source, engine, String, options) };
}

describe('a lease', () => {
  test('has the token of its grant', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    expect(lease).toMatchObject({ key: 'key', token: engine.holders.get('key')!.token });
    expect(typeof lease.token).toBe('bigint');
  });

  test('RL4: release resolves when the database has answered, and every later call with it', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    let answer = () => {};
    vi.spyOn(engine, 'release').mockReturnValue(new Promise((resolve) => (answer = () => resolve(true))));
    const ends = [lease.release(), lease.release(), lease[Symbol.asyncDispose](), one.releaseAll()].map(
      (end) => watch(Promise.resolve(end)),
    );
    await pass(100);
    expect(ends.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending', 'pending']);
    answer();
    await pass(0);
    expect(ends.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
    expect(engine.release).toHaveBeenCalledTimes(1);
    expect(one.held).toBe(0);
  });

  test('`await using` waits until the database has answered', async () => {
    const { engine, keeper: one } = keeper();
    {
      await using lease = await one.acquire('key');
      expect(engine.holders.get('key')!.token).toBe(lease.token);
    }
    expect(engine.holders.size).toBe(0);
  });

  test('RL2, RL3: a loss is released in the database, once, also when the holder releases it later', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const told = vi.fn();
    lease.signal.addEventListener('abort', told);
    engine.requests[0]!.lost(new Error('ended'));
    engine.requests[0]!.lost(new Error('ended again'));
    await pass(0);
    expect(engine.holders.size).toBe(0);
    await lease.release();
    await pass(5_000);
    expect([engine.releases, engine.renewals, told.mock.calls.length, one.held]).toEqual([1, 0, 1, 0]);
    expect(lease.signal.reason.cause).toEqual(new Error('ended'));
  });

  test('RL6: has two timers, of which none keeps the process alive, and none is left after its end', async () => {
    const armed = vi.spyOn(globalThis, 'setTimeout');
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const before = armed.mock.calls.length;
    // Thirty renewals: two timers for each, and one at most for a deadline that was moved.
    await pass(10_000);
    expect(vi.getTimerCount()).toBe(2);
    expect(armed.mock.calls.length - before).toBeLessThanOrEqual(engine.renewals * 3);
    const refs = armed.mock.results.slice(before).map(({ value }) => (value as NodeJS.Timeout).hasRef());
    expect(new Set(refs)).toEqual(new Set([false]));
    engine.requests[0]!.lost(new Error('ended'));
    await pass(0);
    expect(vi.getTimerCount()).toBe(0);
    await lease.release();
    const next = await one.acquire('key');
    const release = next.release();
    // The request to the database has a timer of its own, until it is answered.
    expect(vi.getTimerCount()).toBe(1);
    await release;
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ['proves it', (settle: Settle) => settle.resolve(true)],
    ['refuses it', (settle: Settle) => settle.resolve(false)],
    ['fails', (settle: Settle) => settle.reject(new Error('reset'))],
  ])('RL6: a renewal under way that %s after the release begins nothing', async (_, settle) => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    const renew = vi
      .spyOn(engine, 'renew')
      .mockImplementation(() => new Promise((resolve, reject) => Object.assign(under, { resolve, reject })));
    const under = {} as Settle;
    await pass(334);
    await lease.release();
    settle(under);
    await pass(0);
    expect([renew.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);
    expect(lease.signal.aborted).toBe(false);
  });

  test('RL1: a timer that fires early is no loss: it is set again', async () => {
    const { engine, keeper: one } = keeper();
    const { signal } = await one.acquire('key');
    engine.trouble = 'hangs';
    const told = vi.fn();
    signal.addEventListener('abort', told);
    await pass(940);
    const [monotonic, wall] = [performance.now.bind(performance), Date.now.bind(Date)];
    vi.spyOn(performance, 'now').mockImplementation(() => monotonic() - 2);
    vi.spyOn(Date, 'now').mockImplementation(() => wall() - 2);
    await pass(11);
    expect(told).not.toHaveBeenCalled();
    await pass(1);
    expect(told).toHaveBeenCalledTimes(1);
  });

  test.each([
    [
      'it was not renewed in time',
      async (engine: MemoryEngine) => {
        engine.trouble = 'hangs';
        await pass(951);
      },
    ],
    [
      'the database no longer shows us as its owner',
      async (engine: MemoryEngine) => {
        engine.holders.clear();
        await pass(334);
      },
    ],
    ['its session has ended', async (engine: MemoryEngine) => engine.requests[0]!.lost(undefined)],
  ])('a loss says why: %s; it is published with its lock', async (why, lose) => {
    const published: unknown[] = [];
    const listener = (message: unknown) => published.push(message);
    subscribe('latchkey:lease:lost', listener);
    try {
      const { engine, keeper: one } = keeper();
      const lease = await one.acquire('key');
      await lose(engine);
      const error = lease.signal.reason;
      expect(error).toBeInstanceOf(LeaseLostError);
      expect(error.message).toBe(`the lease of "key" is lost: ${why}`);
      expect('cause' in error).toBe(false);
      // Keys are not published by default: see exposeKeys in docs/diagnostics.md.
      expect(published).toEqual([{ source, error: { name: 'LeaseLostError', code: 'ERR_LEASE_LOST' } }]);
      expect(published[0]).toHaveProperty('source', source);
      await pass(10);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      unsubscribe('latchkey:lease:lost', listener);
    }
  });

  test('RL1: renewed after each third of the time to live, and after a twentieth when that fails', async () => {
    const { engine, keeper: one } = keeper(new MemoryEngine(), { ttlMs: 60_000 });
    await one.acquire('key');
    const at: number[] = [];
    const startedMs = performance.now();
    let failures = 2;
    vi.spyOn(engine, 'renew').mockImplementation(async (key, owner, ttlMs) => {
      at.push(performance.now() - startedMs);
      expect([key, owner, ttlMs]).toEqual(['key', engine.requests[0]!.owner, 60_000]);
      if (at.length > 1 && failures-- > 0) throw new Error('reset');
      return true;
    });
    await pass(66_001);
    expect(at.map((ms) => Math.round(ms))).toEqual([20_000, 40_000, 43_000, 46_000, 66_000]);
  });

  test('RL6: the last renewal is before maxHoldMs, and the lease lasts for one time to live after it', async () => {
    const { engine, keeper: one } = keeper(new MemoryEngine(), { ttlMs: 3_000, maxHoldMs: 9_000 });
    const { signal } = await one.acquire('key');
    await pass(9_000);
    expect(engine.renewals).toBe(8);
    await pass(8_000 + 2_850 - 9_000 - 2);
    expect(signal.aborted).toBe(false);
    await pass(3);
    expect(signal.aborted).toBe(true);
    // By default ten times the time to live; never with Infinity.
    const [usual, endless] = [keeper(), keeper(new MemoryEngine(), { ttlMs: 1_000, maxHoldMs: Infinity })];
    const signals = [(await usual.keeper.acquire('a')).signal, (await endless.keeper.acquire('a')).signal];
    await pass(10_500);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    await pass(89_500);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(usual.engine.renewals).toBe(30);
    await endless.keeper.releaseAll();
  });

  test('RL4: a release waits no longer than the lease would have lasted, and an ended one not at all', async () => {
    const { engine, keeper: one } = keeper();
    const lease = await one.acquire('key');
    await pass(300);
    engine.trouble = 'hangs';
    const release = watch(Promise.resolve(lease.release()));
    await pass(648);
    expect(release.state).toBe('pending');
    await pass(3);
    expect(release.state).toBe('fulfilled');
    engine.trouble = 'none';
    const late = await one.acquire('another key');
    vi.setSystemTime(Date.now() + 5_000);
    engine.trouble = 'hangs';
    expect(late.signal.aborted).toBe(true);
    const ended = watch(Promise.resolve(late.release()));
    await pass(1);
    expect(ended.state).toBe('fulfilled');
  });
});
