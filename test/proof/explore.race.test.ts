/**
 * The microtask sweep of everything: every schedule of the tiny worlds, and in each of them every move in turn follows the one
 * before it after a few microtasks. A dial that arrives, an answer, an item, an abort, a release, a close and a
 * newcomer meet at every offset of each other.
 */
import { expect, test } from 'vitest';
import * as everything from '../support/everything.js';
import { explore } from '../support/explore.js';
import { inFakeTime } from '../support/fake-time.js';
import { hurries, tinyWorlds } from '../support/worlds/small-worlds.js';

test.each(tinyWorlds)('$primitive: $story', async ({ make }) => {
  for (const hurry of hurries) {
    const { wrong } = await inFakeTime(() => explore(() => make(everything), hurry));
    expect(wrong, `with ${hurry.gap} microtasks between two moves`).toBeUndefined();
  }
});
