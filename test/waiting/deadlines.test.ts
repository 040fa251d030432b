import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Expirable, onDeadline } from '../../src/waiting/deadlines.js';
import type { Place } from '../../src/waiting/place-queue.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

/** Waits, and records the name and the time when it expires. */
function note(expired: [string, number][], name: string, durationMs: number): Place<Expirable> {
  return onDeadline(durationMs, { onExpire: (waitedMs) => expired.push([name, waitedMs]) });
}

describe('deadlines', () => {
  test('DL1: one timer per duration for any number of waits, and none after the last one has left', () => {
    const deadlines = Array.from({ length: 1_000 }, (_, i) => onDeadline(100 + (i % 2), { onExpire() {} }));
    expect(vi.getTimerCount()).toBe(2);
    for (const deadline of deadlines) deadline.leave();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('each wait expires after its own time, although they share a timer', () => {
    const expired: [string, number][] = [];
    note(expired, 'a', 100);
    vi.advanceTimersByTime(30);
    note(expired, 'b', 100);
    vi.advanceTimersByTime(69);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(expired).toEqual([['a', 100]]);
    vi.advanceTimersByTime(29);
    expect(expired).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(expired).toEqual([
      ['a', 100],
      ['b', 100],
    ]);
  });

  test('the first to come may leave: the next still expires on time', () => {
    const expired: [string, number][] = [];
    const first = note(expired, 'a', 100);
    vi.advanceTimersByTime(60);
    note(expired, 'b', 100);
    first.leave();
    first.leave();
    vi.advanceTimersByTime(99);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(expired).toEqual([['b', 100]]);
  });

  test('a wait that expires may end another one and start a new one', () => {
    const expired: [string, number][] = [];
    onDeadline(100, {
      onExpire() {
        second.leave();
        note(expired, 'again', 100);
      },
    });
    const second = note(expired, 'second', 100);
    note(expired, 'third', 100);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual([['third', 100]]);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual([
      ['third', 100],
      ['again', 100],
    ]);
  });

  test('a duration of 0 expires with the next timers, not at once', () => {
    const expired: [string, number][] = [];
    note(expired, 'a', 0);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(0);
    expect(expired).toEqual([['a', 0]]);
  });

  test('DL2: a timer that fired after its full length counts, whatever the clock says', () => {
    const expired: [string, number][] = [];
    const startMs = performance.now();
    vi.spyOn(performance, 'now').mockReturnValue(startMs);
    note(expired, 'a', 100);
    note(expired, 'b', 100);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual([
      ['a', 100],
      ['b', 100],
    ]);
  });

  test('DL3: a wait left pending under fake timers does not stop the same duration under other timers', () => {
    const left = onDeadline(100, { onExpire() {} });
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const expired: [string, number][] = [];
    note(expired, 'next test', 100);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual([['next test', 100]]);
    left.leave();
  });

  test('DL3: fake timers that leave the clock alone share nothing, so that each wait has its full length', () => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const expired: string[] = [];
    for (const name of ['a', 'b']) {
      onDeadline(100, { onExpire: () => expired.push(name) });
      vi.advanceTimersByTime(50);
    }
    expect(expired).toEqual(['a']);
    vi.advanceTimersByTime(50);
    expect(expired).toEqual(['a', 'b']);
  });
});
