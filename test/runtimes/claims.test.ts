/** The claims that `npm run test:runtimes` tries on every runtime, here on the sources: a change that breaks one is seen at once. */
import { expect, test } from 'vitest';
import { tryClaims } from './portable.js';

test('every claim that the package makes on all runtimes holds', async () => {
  const verdicts = await tryClaims();
  expect(verdicts.length).toBeGreaterThan(60);
  expect(verdicts.filter(({ error }) => error !== undefined)).toEqual([]);
}, 60_000);
