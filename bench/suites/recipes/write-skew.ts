import type { PostgresPool } from 'latchkey/postgres';
import { goHome as naiveGoHome } from '../../../docs/recipes/naive/write-skew.js';
import { doctors, goHome } from '../../../docs/recipes/write-skew.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const nights = 500;
const names = ['ann', 'bob'] as const;

export const writeSkew: RecipeCost = {
  name: 'write-skew',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;
    await pool.query(
      `drop table if exists doctors; ${doctors}; insert into doctors values ('ann', true), ('bob', true)`,
    );

    /** Each night both ask at once. */
    async function asked(way: (pool: PostgresPool, name: string) => Promise<boolean>) {
      let [alone, ms] = [0, 0];
      for (let night = 0; night < nights; night++) {
        await pool.query('update doctors set on_call = true');
        ms += await elapsedMs(() => replicas.each((replica, n) => way(replica, names[n]!)));
        const { rowCount } = await pool.query('select from doctors where on_call');
        if (rowCount === 0) alone++;
      }
      return { alone, ms: ms / nights };
    }
    const naive = await asked(naiveGoHome);
    const recipe = await asked(goHome);
    return [
      {
        what: `nights without a doctor, of ${nights} on which both asked at once`,
        naive: naive.alone,
        recipe: recipe.alone,
      },
      { what: 'time until both are answered', unit: 'ms', naive: naive.ms, recipe: recipe.ms },
    ];
  },
};
