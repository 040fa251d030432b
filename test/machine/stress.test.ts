/** Exclusion under kills, in short; `npm run bench -- machine` does it for 10,000 grants. */
import { describe, expect, test } from 'vitest';
import { Guests } from './support/guests.js';
import { judge, stress } from './support/stress.js';

describe('stress', () => {
  test('MC1, MC8: 8 processes and random kills: never two inside, tokens strictly growing', {
    timeout: 60_000,
  }, async () => {
    await using guests = await Guests.ready();
    const { grants, kills, processes, overlaps, tokensBack } = await stress(guests, 400, 8, 80);
    expect({ overlaps, tokensBack }).toEqual({ overlaps: 0, tokensBack: 0 });
    expect(grants).toBeGreaterThanOrEqual(400);
    expect(kills).toBeGreaterThan(0);
    expect(processes).toBeGreaterThan(1);
  });

  test.each([
    ['two inside', 'in 1 1\nin 2 2\nout 2 2\nout 1 1', { overlaps: 2, tokensBack: 0 }],
    ['a killed one writes on', 'in 9 1\nin 2 2\nout 9 1\n', { overlaps: 2, tokensBack: 0 }],
    ['a token again', 'in 1 1\nout 1 1\nin 2 1\nout 2 1', { overlaps: 0, tokensBack: 1 }],
    ['a killed holder', 'in 9 1\nin 2 2\nout 2 2', { overlaps: 0, tokensBack: 0 }],
  ])('the judge sees: %s', (_, log, expected) => {
    expect(judge(log, new Set([9]))).toMatchObject(expected);
  });
});
