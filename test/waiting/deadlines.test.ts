import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Expirable, onDeadline } from '../../src/waiting/deadlines.js';
import type { Place } from '../../src/waiting/place-queue.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const ignored: Expirable = { onExpire() {} };

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

  test('DL3: waits share a timer only while the clock is replaced as the timers are', () => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const clock = vi.spyOn(performance, 'now');
    const places = [onDeadline(100, ignored), onDeadline(100, ignored)];
    expect(vi.getTimerCount()).toBe(1);
    clock.mockRestore();
    places.push(onDeadline(100, ignored), onDeadline(100, ignored));
    expect(vi.getTimerCount()).toBe(3);
    for (const place of places) place.leave();
  });

  test('DL2: where only the timers are fake, a late one expires its waits without a poll', () => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const expired: [string, number][] = [];
    note(expired, 'a', 1);
    const untilMs = performance.now() + 50;
    while (performance.now() < untilMs);
    vi.advanceTimersByTime(1);
    expect(expired).toHaveLength(1);
  });

  test('waits that began within a millisecond end with one timer', () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const expired: [string, number][] = [];
    note(expired, 'a', 100);
    clock.mockReturnValue(1_000.5);
    note(expired, 'b', 100);
    clock.mockReturnValue(1_100);
    vi.advanceTimersByTime(100);
    expect(expired.map(([name]) => name)).toEqual(['a', 'b']);
  });

  test('DL1: a wait that begins as the last one expires has one timer', () => {
    let next: Place<Expirable> | undefined;
    onDeadline(100, {
      onExpire: () => {
        next = onDeadline(100, ignored);
      },
    });
    vi.advanceTimersByTime(100);
    expect(vi.getTimerCount()).toBe(1);
    next?.leave();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('DL1: a duration that was empty for a while still has one timer', () => {
    onDeadline(100, ignored).leave();
    const first = onDeadline(100, ignored);
    onDeadline(200, ignored).leave();
    const second = onDeadline(100, ignored);
    expect(vi.getTimerCount()).toBe(1);
    first.leave();
    second.leave();
  });

  test('DL1: nothing that an expired group does later takes the timer of the next one away', () => {
    onDeadline(100, ignored).leave();
    let next: Place<Expirable> | undefined;
    onDeadline(100, {
      onExpire: () => {
        next = onDeadline(100, ignored);
      },
    });
    vi.advanceTimersByTime(100);
    onDeadline(200, ignored).leave();
    const second = onDeadline(100, ignored);
    expect(vi.getTimerCount()).toBe(1);
    next?.leave();
    second.leave();
  });

  test('durations that nobody waits for any more leave nothing behind, however many there were', () => {
    const [set, dropped] = [vi.spyOn(Map.prototype, 'set'), vi.spyOn(Map.prototype, 'delete')];
    for (let ms = 1_000; ms < 2_000; ms++) onDeadline(ms, ignored).leave();
    const kept = set.mock.calls.length - dropped.mock.calls.length;
    vi.restoreAllMocks();
    // One empty group is kept for the next wait.
    expect(kept).toBeLessThanOrEqual(1);
  });

  test('DL1: a fake timer that cannot stop keeping the process alive is cancelled', () => {
    class Timeout {
      unref() {}
      hasRef() {
        return true;
      }
    }
    const cancelled = vi.fn();
    vi.stubGlobal('setTimeout', () => new Timeout());
    vi.stubGlobal('clearTimeout', cancelled);
    for (let i = 0; i < 3; i++) onDeadline(100, ignored).leave();
    expect(cancelled).toHaveBeenCalledTimes(3);
    vi.unstubAllGlobals();
  });

  test('DL4: a wait that ends while its late timer polls leaves no poll behind', () => {
    const [polls, cancelled] = [vi.fn(() => 'poll'), vi.fn()];
    vi.stubGlobal('setImmediate', polls);
    vi.stubGlobal('clearImmediate', cancelled);
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const place = onDeadline(100, ignored);
    clock.mockReturnValue(1_500);
    vi.advanceTimersByTime(100);
    expect(polls).toHaveBeenCalledOnce();
    place.leave();
    expect(cancelled).toHaveBeenCalledExactlyOnceWith('poll');
    vi.unstubAllGlobals();
  });

  test('DL4: a wait that becomes due while a late timer polls has a poll of its own', () => {
    const polls: (() => void)[] = [];
    vi.stubGlobal('setImmediate', (fire: () => void) => polls.push(fire));
    vi.stubGlobal('clearImmediate', () => {});
    const pollTurns = (turns: number) => {
      for (let i = 0; i < turns; i++) polls.shift()?.();
    };
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const expired: [string, number][] = [];
    note(expired, 'first', 100);
    clock.mockReturnValue(1_500);
    vi.advanceTimersByTime(100);
    note(expired, 'second', 100);
    // The process is blocked again.
    clock.mockReturnValue(1_700);
    pollTurns(3);
    expect(expired).toEqual([['first', 500]]);
    vi.advanceTimersByTime(0);
    expect(expired).toHaveLength(1);
    pollTurns(3);
    expect(expired[1]).toEqual(['second', 200]);
    vi.unstubAllGlobals();
  });

  test('the shared timer keeps the context of no caller', () => {
    const storage = new AsyncLocalStorage<string>();
    const contexts: unknown[] = [];
    const own = setTimeout;
    vi.stubGlobal('setTimeout', (fire: () => void, ms: number) => {
      contexts.push(storage.getStore());
      return own(fire, ms);
    });
    storage.run('a request', () => onDeadline(100, ignored)).leave();
    expect(contexts).toEqual([undefined]);
    vi.unstubAllGlobals();
  });
});
