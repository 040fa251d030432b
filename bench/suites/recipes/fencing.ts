import type { KeyLease } from 'latchkey';
import { leaseTableSchema, PostgresMutex, type PostgresPool } from 'latchkey/postgres';
import { reports, writeFenced } from '../../../docs/recipes/fencing.js';
import { write } from '../../../docs/recipes/naive/fencing.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import type { RecipeCost } from './recipe.js';

const pauses = 20;
const ttlMs = 200;
type Way = (pool: PostgresPool, lease: KeyLease<string>, text: string) => Promise<unknown>;

export const fencing: RecipeCost = {
  name: 'fencing',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool, other] = replicas.pools;
    await pool.query(`drop table if exists reports, latchkey_leases; ${reports}; ${leaseTableSchema()}`);
    const [slow, quick] = replicas.pools.map(
      (replica) => new PostgresMutex(replica, { mode: 'leaseTable', ttlMs }),
    );

    /** The first holder is paused between its look at the lease and its write; the second comes, and writes. */
    async function overwritten(way: Way): Promise<number> {
      let count = 0;
      for (let n = 0; n < pauses; n++) {
        const key = `${way.name} ${n}`;
        const pausing: PostgresPool = {
          connect: () => pool.connect(),
          async query(text, values) {
            const untilMs = performance.now() + ttlMs * 1.5;
            while (performance.now() < untilMs);
            await quick!.run(key, (next) => way(other, next, 'new'));
            return pool.query(text, values);
          },
        };
        await using paused = await slow!.acquire(key);
        await way(pausing, paused, 'old');
        const { rows } = await pool.query('select text from reports where id = $1', [key]);
        if (rows[0].text === 'old') count++;
      }
      return count;
    }
    return [
      {
        what: `new reports overwritten with an old one, in ${pauses} pauses of 1.5 times the time to live`,
        naive: await overwritten(write),
        recipe: await overwritten(writeFenced),
      },
    ];
  },
};
