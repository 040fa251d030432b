import { afterAll, beforeAll, expect, test } from 'vitest';
import { runRandomPool } from './random-pool.js';

/** `SEED=12345 npx vitest run test/pool/random` runs that one pool again; `POOLS=50000` runs that many pools. */
const only = process.env['SEED'];
const first = only === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(only);
const count = only === undefined ? Number(process.env['POOLS'] ?? 1_000) : 1;

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

test(
  `P1, P2, P4, P5, P6, P7, P9, P11, P14: ${count} random pools, from seed ${first}: no invariant broken, nobody forgotten, nothing left`,
  async () => {
    for (let seed = first; seed < first + count; seed++) {
      const problems = await runRandomPool(seed);
      expect(problems, `SEED=${seed}`).toEqual([]);
    }
    expect(unhandled).toEqual([]);
  },
  Infinity,
);
