import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ElasticLimit } from '../../src/limit/elastic-limit.js';
import type { LimitSample } from '../../src/limit/limit-algorithm.js';

const steps = fc.array(
  fc.record({
    stepMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(-3_600_000, -5, 7_200_000)),
    durationMs: fc.double({ min: 0, max: 500, noNaN: true }),
    held: fc.integer({ min: 1, max: 60 }),
    outcome: fc.constantFrom<LimitSample['outcome']>('success', 'success', 'success', 'overload'),
  }),
  { maxLength: 600 },
);

/** A tiny backend: calls of 10 ms on `servers` servers, one clock. */
function feed(
  limit: ElasticLimit,
  calls: number,
  { nowMs = 1e12, servers = 20, callers = 1_000 } = {},
): number {
  let clockMs = nowMs;
  for (let i = 0; i < calls; i++) {
    const held = Math.min(callers, limit.limit);
    clockMs += 10 / Math.min(held, servers);
    const durationMs = 10 * Math.max(1, held / servers);
    limit.onSample({ nowMs: clockMs, durationMs, held, limit: limit.limit, outcome: 'success' });
  }
  return clockMs;
}

describe('elastic limit', () => {
  test('EL1, EL2: the limit is a whole number within [min, max], and the same samples give the same limits', () => {
    fc.assert(
      fc.property(steps, (samples) => {
        const [one, other] = [1, 2].map(() => new ElasticLimit({ initial: 10, min: 2, max: 50 }));
        let nowMs = 1e12;
        for (const { stepMs, ...rest } of samples) {
          nowMs += stepMs;
          for (const limit of [one!, other!]) limit.onSample({ nowMs, limit: limit.limit, ...rest });
          expect(Number.isInteger(one!.limit) && one!.limit >= 2 && one!.limit <= 50).toBe(true);
          expect(other!.limit).toBe(one!.limit);
        }
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['cut as much of the limit as they occupied', { initial: 20, successes: 2, refusalMs: 10 }, 17],
    [
      'cut no larger share than that of refused calls',
      { initial: 10, successes: 13, refusalMs: 10 },
      10 * (1 - 3 / 16),
    ],
    ['cut at least a tenth', { initial: 20, successes: 2, refusalMs: 1 }, 18],
    ['cut their share of the calls if they took no time', { initial: 10, successes: 0, refusalMs: 0 }, 5],
    ['cut at most half', { initial: 4, successes: 1, refusalMs: 10 }, 2],
  ])('three refusals in 10 ms %s', (_cut, { initial, successes, refusalMs }, expected) => {
    const limit = new ElasticLimit({ initial });
    const call = { nowMs: 1_000, held: initial, limit: initial };
    for (let i = 0; i < successes; i++) limit.onSample({ ...call, durationMs: 10, outcome: 'success' });
    for (let i = 0; i < 3; i++) limit.onSample({ ...call, durationMs: refusalMs, outcome: 'overload' });
    expect(limit.snapshot()['target']).toBeCloseTo(expected);
  });

  test('EL3: a limit that calls do not reach does not move', () => {
    const limit = new ElasticLimit({ initial: 20 });
    const seen = new Set<number>();
    let nowMs = 1e12;
    for (let i = 0; i < 10_000; i++) {
      nowMs = feed(limit, 1, { nowMs, callers: 5 });
      seen.add(limit.limit);
    }
    expect(seen).toEqual(new Set([20]));
  });

  test.each([
    ['an hour back', -3_600_000],
    ['a day ahead (or a silence of a day)', 86_400_000],
    ['twenty years back', -20 * 365 * 86_400_000],
  ])('EL4: a wall clock that steps %s does not move the limit', (_name, stepMs) => {
    const limit = new ElasticLimit();
    const nowMs = feed(limit, 40_000);
    const before = Number(limit.snapshot()['target']);
    const after = feed(limit, 1, { nowMs: nowMs + stepMs });
    expect(limit.snapshot()).toMatchObject({ target: before, phase: 'base' });
    feed(limit, 40_000, { nowMs: after });
    expect(Math.abs(Number(limit.snapshot()['target']) / before - 1)).toBeLessThan(0.3);
  });

  test('EL4: small backward steps of the clock change hardly anything', () => {
    const [steady, jumpy] = [new ElasticLimit(), new ElasticLimit()];
    let nowMs = 1e12;
    for (let i = 0; i < 20_000; i++) {
      nowMs += 0.5;
      const durationMs = 10 + (i % 7);
      const held = steady.limit;
      steady.onSample({ nowMs, durationMs, held, limit: held, outcome: 'success' });
      // The clock of every tenth sample is 3 ms behind.
      const behindMs = i % 10 === 9 ? 3 : 0;
      jumpy.onSample({
        nowMs: nowMs - behindMs,
        durationMs,
        held: jumpy.limit,
        limit: held,
        outcome: 'success',
      });
    }
    expect(jumpy.limit / steady.limit).toBeGreaterThan(0.7);
    expect(jumpy.limit / steady.limit).toBeLessThan(1.4);
  });

  test('finds the number of servers, from below and from above', () => {
    for (const servers of [5, 50, 500]) {
      const limit = new ElasticLimit({ initial: 20 });
      feed(limit, 200_000, { servers });
      const target = Number(limit.snapshot()['target']);
      expect(target).toBeGreaterThan(0.9 * servers);
      expect(target).toBeLessThan(1.6 * servers);
    }
  });

  test('three refusals among the first calls cut the limit, and the refused level becomes a ceiling', () => {
    const limit = new ElasticLimit({ initial: 100 });
    const nowMs = feed(limit, 20);
    for (let i = 0; i < 3; i++) {
      limit.onSample({ nowMs: nowMs + i, durationMs: 1, held: 100, limit: 100, outcome: 'overload' });
    }
    expect(limit.limit).toBeLessThanOrEqual(90);
    expect(limit.snapshot()).toMatchObject({ ceiling: 100 });
  });

  test('the snapshot has all fields, and none is NaN', () => {
    const limit = new ElasticLimit();
    for (const calls of [0, 10, 1_000]) {
      feed(limit, calls);
      const { phase, ...figures } = limit.snapshot();
      expect(['base', 'probe', 'drain', 'cut', 'relief', 'climb']).toContain(phase);
      expect(Object.keys(figures).sort()).toEqual(
        ['baselineMs', 'ceiling', 'durationMs', 'elasticity', 'limit', 'slotMs', 'target'].sort(),
      );
      for (const figure of Object.values(figures)) expect(figure).not.toBeNaN();
    }
  });
});
