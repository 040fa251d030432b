import { KeyedMutex, Mutex, Semaphore } from 'latchkey';
import { type WatchReport, watch } from 'latchkey/watch';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

describe('held for too long', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('a permit that is held for longer is reported once, with the place of its acquire', () => {
    const reports: WatchReport[] = [];
    using _watcher = watch({ heldTooLongMs: 100, onReport: (report) => reports.push(report) });
    const mutex = new Mutex();
    const permit = mutex.tryAcquire();
    vi.advanceTimersByTime(60);
    const key = new KeyedMutex<string>().tryAcquire('key');
    vi.advanceTimersByTime(39);
    expect(reports).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reports).toMatchObject([{ kind: 'heldTooLong', name: 'Mutex', heldMs: 100 }]);
    expect(String(reports[0])).toMatch(
      /^Mutex, acquired at held\.test\.ts:\d+:\d+, has been held for 100 ms$/,
    );
    vi.advanceTimersByTime(60);
    expect(reports).toMatchObject([{}, { name: 'KeyedMutex "key"' }]);
    vi.advanceTimersByTime(1_000);
    expect(reports).toHaveLength(2);
    permit?.release();
    key?.release();
  });

  test('a permit that comes back in time is not reported, and the next one has its full time', () => {
    const reports: WatchReport[] = [];
    using _watcher = watch({ heldTooLongMs: 100, onReport: (report) => reports.push(report) });
    const semaphore = new Semaphore(1);
    const first = semaphore.tryAcquire();
    vi.advanceTimersByTime(90);
    first?.release();
    const second = semaphore.tryAcquire();
    vi.advanceTimersByTime(99);
    expect(reports).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reports).toHaveLength(1);
    second?.release();
  });

  test('WA5: after stop() nothing is reported, and no timer is left', () => {
    const reports: WatchReport[] = [];
    const watcher = watch({ heldTooLongMs: 100, onReport: (report) => reports.push(report) });
    const permit = new Mutex().tryAcquire();
    watcher.stop();
    watcher.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000);
    permit?.release();
    expect(reports).toEqual([]);
    expect(watcher.snapshot()).toMatchObject({ held: [], waiting: [], cycles: [] });
  });
});

describe('the watcher', () => {
  test('one at a time', () => {
    using _watcher = watch();
    expect(() => watch()).toThrow('the process is watched already: stop that watcher first');
  });

  test('WG5: waits and permits that have ended take no memory', async () => {
    using watcher = watch({ onReport: () => {} });
    const keys = new KeyedMutex<number>();
    const semaphore = new Semaphore(2);
    const calls = Array.from({ length: 1_000 }, (_, i) => keys.run(i % 7, () => semaphore.run(() => i)));
    await Promise.all(calls);
    expect(watcher.snapshot()).toMatchObject({ held: [], waiting: [], cycles: [] });
    expect(String(watcher.snapshot())).toBe('0 held, 0 waiting');
  });

  test('a warning is emitted once per place by default', async () => {
    const warnings: Error[] = [];
    const record = (warning: Error) => void warnings.push(warning);
    process.on('warning', record);
    using _watcher = watch({ deadlocks: 'reject' });
    const mutex = new Mutex();
    for (let i = 0; i < 3; i++) await mutex.run(() => mutex.run(() => 1)).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', record);
    expect(warnings.map(({ name }) => name)).toEqual(['LatchkeyWarning']);
    expect(warnings[0]?.message).toMatch(
      /^deadlock at held\.test\.ts:\d+:\d+: the task would wait for Mutex, held for/,
    );
  });
});
