import { afterEach, describe, expect, test, vi } from 'vitest';
import { now, setTimer, wallClock } from '../../src/runtime/clock.js';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('clock', () => {
  test('reads the globals when called, so that replacing them controls the time', () => {
    vi.stubGlobal('performance', { now: () => 12.5 });
    vi.stubGlobal('Date', { now: () => 1_700_000_000_000 });
    expect([now(), wallClock()]).toEqual([12.5, 1_700_000_000_000]);
  });

  test('a timer fires once, and not when it was cancelled', () => {
    vi.useFakeTimers();
    const fire = vi.fn();
    const cancelled = vi.fn();
    setTimer(fire, 10);
    setTimer(cancelled, 10).cancel();
    vi.advanceTimersByTime(9);
    expect(fire).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(fire).toHaveBeenCalledOnce();
    expect(cancelled).not.toHaveBeenCalled();
  });

  test('more than 2^31 ms are waited for in full, and can be cancelled on the way', () => {
    vi.useFakeTimers();
    const longMs = 2 ** 31 + 10;
    const fire = vi.fn();
    const cancelled = vi.fn();
    setTimer(fire, longMs);
    const timer = setTimer(cancelled, longMs);
    vi.advanceTimersByTime(2 ** 31 + 9);
    expect(fire).not.toHaveBeenCalled();
    timer.cancel();
    vi.advanceTimersByTime(1);
    expect(fire).toHaveBeenCalledOnce();
    expect(cancelled).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('only a background timer lets the process exit, also where timers are mere numbers', () => {
    const unref = vi.fn();
    vi.stubGlobal('setTimeout', () => ({ unref }));
    setTimer(() => {}, 10);
    expect(unref).not.toHaveBeenCalled();
    setTimer(() => {}, 10, { background: true });
    expect(unref).toHaveBeenCalledOnce();
    vi.stubGlobal('setTimeout', () => 1);
    expect(() => setTimer(() => {}, 10, { background: true })).not.toThrow();
  });
});
