import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
// Not from 'latchkey': its retry makes a backoff when it is loaded, so a broken backoff would break the import, not a test.
import { constant, decorrelated, exponential, type Jitter } from '../../src/retry/backoff.js';

describe('backoff', () => {
  const least = () => 0;
  const most = () => 1 - Number.EPSILON;

  test('exponential doubles from 100 ms to 10 s, and full jitter spreads it from 0', () => {
    const backoff = exponential({ jitter: 'none' });
    expect([1, 2, 3, 7, 8, 9].map((attempt) => backoff(attempt, 0, most))).toEqual([
      100, 200, 400, 6_400, 10_000, 10_000,
    ]);
    expect(exponential()(3, 0, least)).toBe(0);
    expect(exponential()(3, 0, most)).toBeCloseTo(400);
    expect(exponential({ jitter: 'equal' })(3, 0, least)).toBe(200);
    expect(exponential({ jitter: 'equal' })(3, 0, most)).toBeCloseTo(400);
  });

  test('decorrelated draws from the first delay to three times the previous one', () => {
    const backoff = decorrelated({ initialMs: 100, maxMs: 1_000 });
    expect(backoff(1, 0, least)).toBe(100);
    expect(backoff(2, 200, most)).toBeCloseTo(600);
    expect(backoff(2, 200, least)).toBe(100);
  });

  test('decorrelated also spreads the first delay, and delays at the cap', () => {
    const backoff = decorrelated({ initialMs: 100, maxMs: 1_000 });
    expect(backoff(1, 0, () => 0.5)).toBe(200);
    expect(backoff(9, 1_000, () => 0.5)).toBe(550);
    expect(backoff(9, 60_000, most)).toBeCloseTo(1_000);
  });

  test('no delay is longer than maxMs, even where the first one would be', () => {
    const delays = [
      exponential({ initialMs: 500, maxMs: 50, jitter: 'none' }),
      decorrelated({ initialMs: 500, maxMs: 50 }),
    ];
    expect(delays.map((backoff) => backoff(1, 0, most))).toEqual([50, 50]);
  });

  test('factor 1 is a constant delay with jitter', () => {
    const backoff = exponential({ factor: 1, jitter: 'none' });
    expect([1, 2, 9].map((attempt) => backoff(attempt, 0, most))).toEqual([100, 100, 100]);
  });

  test('for all options, a delay stays within its bounds, and the same random number gives the same delay', () => {
    const ms = fc.nat(1e9);
    const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const jitter = fc.constantFrom<Jitter>('none', 'equal', 'full');
    const factor = fc.double({ min: 1, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(ms, ms, factor, jitter, draw, fc.integer({ min: 1, max: 10_000 }), ms, (...drawn) => {
        const [initialMs, maxMs, factor, jitter, random, attempt, previousMs] = drawn;
        const backoffs = [
          exponential({ initialMs, maxMs, factor, jitter }),
          decorrelated({ initialMs, maxMs }),
        ];
        for (const backoff of backoffs) {
          const delayMs = backoff(attempt, previousMs, () => random);
          expect(delayMs).toBeGreaterThanOrEqual(0);
          // Rounding aside.
          expect(delayMs).toBeLessThanOrEqual(maxMs * (1 + Number.EPSILON));
          expect(backoff(attempt, previousMs, () => random)).toBe(delayMs);
        }
      }),
    );
  });

  test.each([exponential(), exponential({ initialMs: 0 }), decorrelated(), constant(5)])(
    'no backoff is ever NaN, negative or endless, even after 10,000 attempts',
    (backoff) => {
      let previousMs = 0;
      for (let attempt = 1; attempt <= 10_000; attempt++) {
        previousMs = backoff(attempt, previousMs, Math.random);
        expect(previousMs >= 0 && previousMs <= 10_000).toBe(true);
      }
    },
  );

  test.each([
    ['initialMs', () => exponential({ initialMs: -1 })],
    ['maxMs', () => exponential({ maxMs: Infinity })],
    ['factor', () => exponential({ factor: 0.5 })],
    ['jitter', () => exponential({ jitter: 'some' as never })],
    ['delayMs', () => constant(Number.NaN)],
    ['delayMs', () => constant(Infinity)],
    ['options', () => exponential(5 as never)],
    ['options', () => decorrelated(null as never)],
    ['maxMs', () => decorrelated({ maxMs: -1 })],
    ['initialMs', () => decorrelated({ initialMs: '1' as never })],
  ])('a bad %s is refused by name', (name, make) => {
    expect(make).toThrow(name);
  });
});
