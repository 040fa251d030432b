/** What all limit algorithms have in common. */
import { describe, expect, test } from 'vitest';
import { AimdLimit } from '../../src/limit/aimd-limit.js';
import { ElasticLimit } from '../../src/limit/elastic-limit.js';
import type { LimitSample } from '../../src/limit/limit-algorithm.js';
import { VegasLimit } from '../../src/limit/vegas-limit.js';

const sample: LimitSample = { nowMs: 0, durationMs: 1, held: 20, limit: 20, outcome: 'success' };

describe.each([AimdLimit, VegasLimit, ElasticLimit])('%o', (Law) => {
  test.each([
    ['nowMs', Number.NaN],
    ['nowMs', Infinity],
    ['nowMs', '0'],
    ['durationMs', -1],
    ['durationMs', Infinity],
    ['durationMs', Number.NaN],
    ['durationMs', undefined],
    ['held', 0],
    ['held', 1.5],
    ['limit', -1],
    ['outcome', 'ignore'],
  ])('a sample with %s %s is refused by name, and changes nothing', (field, value) => {
    const law = new Law();
    const before = law.snapshot();
    expect(() => law.onSample({ ...sample, [field]: value } as LimitSample)).toThrow(field);
    expect(law.snapshot()).toEqual(before);
  });

  test.each([
    [{ initial: 0 }, 'initial'],
    [{ min: 5, max: 4 }, 'min'],
    [{ initial: 5, max: 4 }, 'initial'],
    [{ max: Infinity }, 'max'],
    [{ min: 1.5 }, 'min'],
    [{ initial: '5' as unknown as number }, 'initial'],
    [null as unknown as object, 'options'],
  ])('%o is refused: %s', (options, name) => {
    expect(() => new Law(options)).toThrow(name);
  });

  test('starts at 20, or at the nearest bound', () => {
    expect(new Law().limit).toBe(20);
    expect(new Law({ max: 5 }).limit).toBe(5);
    expect(new Law({ min: 50 }).limit).toBe(50);
    expect(new Law({ initial: 7 }).limit).toBe(7);
  });

  test('min = max is a fixed limit', () => {
    const law = new Law({ min: 3, max: 3 });
    for (let i = 0; i < 5_000; i++) {
      const outcome = i % 7 === 0 ? 'overload' : 'success';
      law.onSample({ nowMs: i * 10, durationMs: (i * 37) % 100, held: 1 + (i % 3), limit: 3, outcome });
      expect(law.limit).toBe(3);
    }
  });
});
