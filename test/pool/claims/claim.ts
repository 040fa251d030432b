import type { ConnectionPool } from 'latchkey';
import { World, type WorldOptions } from '../../support/pool-world.js';

/** Opens a world around the pool that is put to the test; it is ended, and checked, when the claim has been. */
export type Open = (options?: WorldOptions) => World;

export interface Claim {
  readonly title: string;
  check(open: Open): Promise<void>;
}

/** A claim about the pool. Kept apart from the test runner so that pools that are wrong on purpose can face it too. */
export function claim(title: string, check: (open: Open) => Promise<void>): Claim {
  return { title, check };
}

/** Checks a claim of `Pool`; rejects when it does not hold. */
export async function verify({ check }: Claim, Pool: typeof ConnectionPool): Promise<void> {
  let world: World | undefined;
  try {
    await check((options) => {
      world = new World({ Pool, ...options });
      return world;
    });
    await world?.end();
  } finally {
    world?.leave();
  }
}
