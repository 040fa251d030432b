/** Random users against the models: which caller is served, which gave up, which is next. Failures shrink and print a seed. */
import { expect, test } from 'vitest';
import * as everything from '../support/everything.js';
import { randomWorlds } from '../support/worlds/random-worlds.js';

test.each(randomWorlds)(
  '$primitive does what its model does, for random events in random order',
  async (world) => {
    await expect(world.check(everything)).resolves.toBeUndefined();
  },
);
