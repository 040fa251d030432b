import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type KeyOwner, KeyState } from '../../src/pool/key-state.js';
import { poolSettings } from '../../src/pool/settings.js';
import { waitSettings } from '../../src/waiting/wait-settings.js';
import { watch } from '../support/lock-likes.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'], now: 0 });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function keyWith(options: Parameters<typeof poolSettings>[0] = {}) {
  const left: string[] = [];
  const owner: KeyOwner<object, string> = {
    onRefuse: () => {},
    onLeave: (key, why) => left.push(`${key.key} ${why}`),
    observed: {},
    canServe: () => true,
    describe: (key, waitedMs) => ({ key: key.key, waitedMs, held: 0, waiting: 0, limit: 1 }),
  };
  const settings = poolSettings(options);
  const ownMaximum = settings.maxPerKey as number | undefined;
  const key = new KeyState<object, string>('a', 'id of a', settings, owner, ownMaximum);
  const wait = (count: number) => {
    for (let i = 0; i < count; i++) watch(key.queue.wait(waitSettings(undefined), undefined));
  };
  return { key, left, wait };
}

describe('how many dials a key wants', () => {
  test('none without waiters; else one for each waiter that nothing under way will serve', () => {
    const { key, wait } = keyWith();
    expect([key.waiting, key.slotsWanted, key.quiet]).toEqual([0, 0, true]);
    wait(4);
    expect([key.waiting, key.slotsWanted, key.quiet]).toEqual([4, 4, false]);
    key.counts.connecting = 1;
    key.counts.checking = 2;
    expect([key.leasesToCome, key.slotsWanted]).toEqual([3, 1]);
    key.counts.checking = 5;
    expect(key.slotsWanted).toBe(0);
  });

  test('one for each group of waiters that may share a connection', () => {
    const { key, wait } = keyWith({ leasesPerConnection: 3 });
    wait(7);
    expect(key.slotsWanted).toBe(3);
    key.counts.connecting = 1;
    expect([key.leasesToCome, key.slotsWanted]).toEqual([3, 2]);
  });

  test('at most maxPerKey, at most maxConnecting at once, and one while the server is down', () => {
    const { key, wait } = keyWith({ max: 20, maxPerKey: 5, maxConnecting: 3 });
    wait(10);
    expect(key.slotsWanted).toBe(3);
    key.counts.connecting = 2;
    expect(key.slotsWanted).toBe(1);
    key.counts.leased = 3;
    expect(key.slotsWanted).toBe(0);
    Object.assign(key.counts, { connecting: 0, leased: 0 });
    key.server.countFailure(0, new Error('down'));
    expect(key.slotsWanted).toBe(1);
    // A probe that hangs does not bar the next.
    key.counts.connecting = 1;
    expect(key.slotsWanted).toBe(1);
    key.counts.connecting = 3;
    expect(key.slotsWanted).toBe(0);
  });

  test('connections on their way out serve no waiter', () => {
    const { key } = keyWith();
    Object.assign(key.counts, { connecting: 1, idle: 1, leased: 3, checking: 1, closing: 2, retiring: 1 });
    expect([key.counts.total, key.counts.leaving, key.serving]).toEqual([8, 3, 5]);
  });
});

describe('a key whose dials fail', () => {
  test('waits twice as long each time, from 50 ms to 5 s, half of it random', () => {
    const { key } = keyWith();
    const random = vi.spyOn(Math, 'random').mockReturnValue(1);
    const delays = Array.from({ length: 9 }, (_, i) => key.server.countFailure(i, new Error(`${i}`)));
    expect(delays).toEqual([50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    random.mockReturnValue(0.5);
    expect(key.server.countFailure(9, new Error('9'))).toBe(3_750);
    expect([key.server.failures, key.server.lastError]).toEqual([10, new Error('9')]);
  });

  test('counts dials that began together as one failure, and returns the rest of the backoff', () => {
    const { key } = keyWith();
    key.server.countFailure(0, new Error('first'));
    expect(key.server.countFailure(0, new Error('second'))).toBeLessThanOrEqual(50);
    expect(key.server.retryAtMs).toBeGreaterThanOrEqual(25);
    expect(key.server.failures).toBe(1);
    const cancel = vi.fn();
    key.server.retry = { dueMs: 30, timer: { cancel }, background: true };
    expect(key.quiet).toBe(false);
    vi.advanceTimersByTime(100);
    expect(key.server.countFailure(0, new Error('third'))).toBe(0);
    key.server.forgetFailures();
    expect([key.server.failures, key.server.lastError, key.server.retry, key.quiet]).toEqual([
      0,
      undefined,
      undefined,
      true,
    ]);
    expect(cancel).toHaveBeenCalledOnce();
  });

  test('starts again without failures in a new generation', () => {
    const { key } = keyWith();
    key.server.countFailure(0, new Error('down'));
    key.startGeneration();
    expect([key.generation, key.server.failures]).toEqual([1, 0]);
  });

  test('gives a timed-out waiter the last failure as cause, and learns that a waiter left', async () => {
    const { key, left } = keyWith();
    const down = new Error('down');
    const plain = watch(key.queue.wait(waitSettings({ waitTimeoutMs: 5 }), undefined));
    await vi.advanceTimersByTimeAsync(5);
    expect(plain.reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT', key: 'a', waitedMs: 5 });
    expect(Object.hasOwn(plain.reason as Error, 'cause')).toBe(false);
    key.server.countFailure(0, down);
    const told = watch(key.queue.wait(waitSettings({ waitTimeoutMs: 5 }), undefined));
    await vi.advanceTimersByTimeAsync(5);
    expect((told.reason as Error).cause).toBe(down);
    const controller = new AbortController();
    watch(key.queue.wait(waitSettings({ signal: controller.signal }), undefined));
    controller.abort();
    expect(left).toEqual(['a timedOut', 'a timedOut', 'a aborted']);
  });
});
