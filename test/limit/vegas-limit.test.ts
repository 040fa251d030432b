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
  test('leaps while nothing queues, by six', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, nowMs);
    expect(vegas.limit).toBe(before + 6);
  });

  test('stays where three to six calls queue, and falls by one where more do', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    const settledMs = window(vegas, nowMs, { durationMs: 10 / (1 - 4 / before) });
    expect(vegas.limit).toBe(before);
    window(vegas, settledMs, { durationMs: 10 / (1 - 10 / before) });
    expect(vegas.limit).toBe(before - 1);
  });

  test('falls by one for a window with an overload', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, nowMs, { outcome: 'overload' });
    expect(vegas.limit).toBe(before - 1);
  });

  test('a limit that is not half in use does not grow', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, nowMs, { held: 1 });
    expect(vegas.limit).toBe(before);
  });

  test('a clock that goes back an hour costs one window, not an hour', () => {
    const { vegas, nowMs } = started();
    const before = vegas.limit;
    window(vegas, window(vegas, nowMs - 3_600_000));
    expect(vegas.limit).toBeGreaterThan(before);
  });
});
