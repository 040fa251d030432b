/** Tests of the tests: packages with one line changed. The suite named for each must fail. */
import { describe, expect, test } from 'vitest';
import { mutated, unmutated } from '../support/mutated.js';
import { suiteNamed } from './suites.js';
import { knownMutants } from './table.js';

describe('a package that', () => {
  test.each(knownMutants)('$name: found by the $killedBy', async (mutant) => {
    expect(await suiteNamed(mutant.killedBy)(await mutated(mutant))).toBeDefined();
  });
});

// The others, which take longer, run against the sources in tests of their own.
const quickSuites = [...new Set(knownMutants.map(({ killedBy }) => killedBy))].filter((name) =>
  /^(model|pool claims: (?!fairness))/.test(name),
);

test.each(quickSuites)('the %s finds nothing wrong with the package as it is', async (name) => {
  expect(await suiteNamed(name)(await unmutated())).toBeUndefined();
});
