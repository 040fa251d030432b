import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ElasticLimit } from '../../src/limit/elastic-limit.js';

const samples = fc.array(
  fc.record({
    stepMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(-3_600_000, 7_200_000)),
    durationMs: fc.double({ min: 0, max: 500, noNaN: true }),
    held: fc.integer({ min: 1, max: 60 }),
    outcome: fc.constantFrom<'success' | 'overload'>('success', 'success', 'success', 'overload'),
  }),
  { maxLength: 600 },
);

test('elastic limit: a whole number within [min, max], the same for the same samples, whatever the clock does', () => {
  fc.assert(
    fc.property(samples, (steps) => {
      const [one, other] = [1, 2].map(() => new ElasticLimit({ initial: 10, min: 2, max: 50 }));
      let nowMs = 1e12;
      for (const { stepMs, ...rest } of steps) {
        nowMs += stepMs;
        for (const limit of [one!, other!]) limit.onSample({ nowMs, limit: limit.limit, ...rest });
        expect(Number.isInteger(one!.limit) && one!.limit >= 2 && one!.limit <= 50).toBe(true);
        expect(other!.limit).toBe(one!.limit);
      }
    }),
    { seed: 4 },
  );
});
