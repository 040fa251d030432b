import { describe, expect, test } from 'vitest';
import type { LimitSample } from '../../src/limit/limit-algorithm.js';
import { VegasLimit } from '../../src/limit/vegas-limit.js';

/** One window: twenty calls within 1,001 ms. @returns its end. */
function window(vegas: VegasLimit, nowMs: number, change: Partial<LimitSample> = {}): number {
  for (let i = 0; i < 20; i++) {
    const sample = { durationMs: 10, held: vegas.limit, limit: vegas.limit, outcome: 'success' as const };
    vegas.onSample({ ...sample, nowMs: nowMs + 1 + i * 50.05, ...change });
  }
  vegas.onSample({ durationMs: 10, held: 1, limit: 1, outcome: 'success', nowMs: nowMs + 1_001, ...change });
  return nowMs + 1_001;
}

/** A law that has seen one fastest window of 10 ms. */
function started(initial = 20): { vegas: VegasLimit; nowMs: number } {
  const vegas = new VegasLimit({ initial });
  vegas.onSample({ nowMs: 0, durationMs: 10, held: 1, limit: initial, outcome: 'success' });
  return { vegas, nowMs: window(vegas, 0) };
}

describe('Vegas', () => {
  test('VE3: jumps by six while at most one call queues', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, nowMs);
    expect(vegas.limit).toBe(before + 6);
  });

  test('VE2, VE3: stays while three to six calls queue, and falls by one when more do', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    const settledMs = window(vegas, nowMs, { durationMs: 10 / (1 - 4 / before) });
    expect(vegas.limit).toBe(before);
    window(vegas, settledMs, { durationMs: 10 / (1 - 10 / before) });
    expect(vegas.limit).toBe(before - 1);
  });

  test('VE3: falls by one for a window with an overload', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, nowMs, { outcome: 'overload' });
    expect(vegas.limit).toBe(before - 1);
  });

  test('VE4: a limit that is less than half in use does not grow', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, nowMs, { held: 1 });
    expect(vegas.limit).toBe(before);
  });

  test('VE6: a clock that goes back an hour costs one window, not an hour', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, window(vegas, nowMs - 3_600_000));
    expect(vegas.limit).toBeGreaterThan(before);
  });

  test('VE3: the steps grow with the limit: at 100 they are twice as large', () => {
    const { vegas, nowMs } = started(100);
    const slower = (queued: number) => ({ durationMs: 10 / (1 - queued / vegas.limit) });
    let endMs = window(vegas, nowMs);
    expect(vegas.limit).toBe(112);
    endMs = window(vegas, endMs, slower(3.5));
    expect(vegas.limit).toBe(114);
    endMs = window(vegas, endMs, slower(8.5));
    expect(vegas.limit).toBe(114);
    window(vegas, endMs, slower(20));
    expect(vegas.limit).toBe(112);
  });

  test.each([
    [1, 26],
    [1.5, 21],
    [2, 21],
    [2.5, 20],
    [6, 20],
    [6.5, 19],
  ])('VE3: with %d calls queued at a limit of 20 the next limit is %d', (queued, next) => {
    const { vegas, nowMs } = started();
    window(vegas, nowMs, { durationMs: 10 / (1 - queued / 20 + 1e-9) });
    expect(vegas.limit).toBe(next);
  });

  test('VE3: one overload lowers the limit once, not in every window after it', () => {
    const { vegas, nowMs } = started();
    vegas.onSample({ durationMs: 10, held: 20, limit: 20, outcome: 'overload', nowMs: nowMs + 1 });
    let endMs = window(vegas, nowMs);
    expect(vegas.limit).toBe(19);
    endMs = window(vegas, endMs, { durationMs: 10 / (1 - 4 / 19) });
    expect(vegas.limit).toBe(19);
    window(vegas, endMs);
    expect(vegas.limit).toBe(25);
  });

  test('VE3: quick refusals do not become the fastest window', () => {
    const { vegas, nowMs } = started();
    const endMs = window(vegas, nowMs, { outcome: 'overload', durationMs: 1 });
    expect([vegas.limit, vegas.snapshot()['fastestMs']]).toEqual([19, 10]);
    window(vegas, endMs);
    expect(vegas.limit).toBe(25);
  });

  test('VE1: changes at most once per window, and stays within its bounds', () => {
    const vegas = new VegasLimit({ initial: 4, min: 3, max: 12 });
    const sample = { durationMs: 10, held: 4, limit: 4, outcome: 'success' as const };
    const changedAtMs: number[] = [];
    for (let nowMs = 0; nowMs < 4_500; nowMs += 10) {
      const before = vegas.limit;
      vegas.onSample({ ...sample, held: before, nowMs });
      if (vegas.limit !== before) changedAtMs.push(nowMs);
    }
    expect(changedAtMs).toEqual([2_020, 3_030]);
    let endMs = window(vegas, 6_000);
    for (let i = 0; i < 5; i++) endMs = window(vegas, endMs);
    expect(vegas.limit).toBe(12);
    for (let i = 0; i < 20; i++) endMs = window(vegas, endMs, { outcome: 'overload' });
    expect(vegas.limit).toBe(3);
  });

  test('VE1: a window of fewer than ten calls changes nothing', () => {
    const { vegas, nowMs } = started();
    const sample = { durationMs: 1, held: 20, limit: 20, outcome: 'overload' as const };
    for (let i = 1; i < 9; i++) vegas.onSample({ ...sample, nowMs: nowMs + i });
    vegas.onSample({ ...sample, nowMs: nowMs + 1_001 });
    expect(vegas.limit).toBe(20);
    for (let i = 1; i < 10; i++) vegas.onSample({ ...sample, nowMs: nowMs + 1_001 + i });
    vegas.onSample({ ...sample, nowMs: nowMs + 2_002 });
    expect(vegas.limit).toBe(19);
  });

  test('VE4: half of the limit in use at one moment of the window is enough to grow', () => {
    const { vegas, nowMs } = started();
    window(vegas, window(vegas, nowMs, { held: 9 }), { held: 10 });
    expect(vegas.limit).toBe(26);
  });

  test('VE5: the fastest window is forgotten after 30 windows per unit of the limit', () => {
    const vegas = new VegasLimit({ initial: 2, min: 2, max: 2 });
    vegas.onSample({ nowMs: 0, durationMs: 10, held: 1, limit: 2, outcome: 'success' });
    let endMs = window(vegas, 0);
    for (let i = 0; i < 60; i++) endMs = window(vegas, endMs, { durationMs: 50 });
    expect(vegas.snapshot()).toEqual({ limit: 2, fastestMs: 10 });
    window(vegas, endMs, { durationMs: 50 });
    expect(vegas.snapshot()).toEqual({ limit: 2, fastestMs: 50 });
  });

  test('VE6: after a step of the clock the windows are as long as before, and refusals count', () => {
    const { vegas, nowMs } = started();
    const stepped = nowMs - 3_600_000;
    const sample = { durationMs: 10, held: 20, limit: 20, outcome: 'success' as const };
    vegas.onSample({ ...sample, nowMs: stepped });
    const endMs = window(vegas, stepped, { outcome: 'overload' });
    expect(vegas.limit).toBe(19);
    window(vegas, endMs, { outcome: 'overload' });
    expect(vegas.limit).toBe(18);
  });
});
