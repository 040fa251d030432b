import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { timeoutReason, withTimeout } from '../../src/calling/with-timeout.js';
import { drained } from '../support/lock-likes.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

/** A promise that the test settles, followed with a timeout, and the callbacks that were called. */
function followed(timeoutMs: number, withLateValue = true) {
  const told: unknown[] = [];
  let resolve!: (value: string) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<string>((onValue, onError) => {
    [resolve, reject] = [onValue, onError];
  });
  const stop = withTimeout(() => promise, timeoutMs, {
    value: (value) => told.push(['value', value]),
    error: (error) => told.push(['error', error]),
    timeout: () => told.push('timeout'),
    ...(withLateValue && { lateValue: (value: string) => told.push(['late', value]) }),
  });
  return { told, resolve, reject, stop };
}

describe('a promise that is followed with a timeout', () => {
  test('WT1, WT3: in time: its value or its error, no timeout after that, and no timer left', async () => {
    const [good, bad] = [followed(10), followed(10)];
    good.resolve('value');
    bad.reject('error');
    await drained();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10);
    expect([good.told, bad.told]).toEqual([[['value', 'value']], [['error', 'error']]]);
  });

  test('WT1, WT2: too late: the timeout, then a late value; a late error is ignored', async () => {
    const [good, bad, deaf] = [followed(10), followed(10), followed(10, false)];
    vi.advanceTimersByTime(10);
    good.resolve('value');
    bad.reject('error');
    deaf.resolve('value');
    await drained();
    expect(good.told).toEqual(['timeout', ['late', 'value']]);
    expect([bad.told, deaf.told]).toEqual([['timeout'], ['timeout']]);
  });

  test('followed for ever: there is no timer', async () => {
    const { told, resolve } = followed(Infinity);
    expect(vi.getTimerCount()).toBe(0);
    resolve('value');
    await drained();
    expect(told).toEqual([['value', 'value']]);
  });

  test('after a stop, no callback is called, in time or late', async () => {
    const [early, late] = [followed(10), followed(10)];
    early.stop();
    vi.advanceTimersByTime(10);
    late.stop();
    for (const { resolve } of [early, late]) resolve('value');
    await drained();
    expect([early.told, late.told]).toEqual([[], ['timeout']]);
  });

  test('the reason of a timeout names the work and the time it took', () => {
    const reason = timeoutReason('connect', 10);
    expect([reason.name, reason.message]).toEqual(['TimeoutError', 'connect took longer than 10 ms']);
  });
});
