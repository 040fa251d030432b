import { type Migration, migrate } from '../../../docs/recipes/migration-guard.js';
import { migrate as naiveMigrate } from '../../../docs/recipes/naive/migration-guard.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import type { RecipeCost } from './recipe.js';

const [deploys, replicaCount] = [50, 3];
const migrations: readonly Migration[] = [
  { name: '1', sql: 'create table tickets (id int primary key)' },
  { name: '2', sql: 'alter table tickets add column seat text' },
];

export const migrationGuard: RecipeCost = {
  name: 'migration-guard',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;

    /** Three replicas start at once on a database that is empty. */
    async function crashed(way: typeof migrate | typeof naiveMigrate): Promise<number> {
      let count = 0;
      for (let deploy = 0; deploy < deploys; deploy++) {
        await pool.query('drop table if exists migrations, tickets');
        const starts = Array.from({ length: replicaCount }, (_, n) =>
          way(replicas.pools[n % 2]!, migrations),
        );
        const started = await Promise.allSettled(starts);
        count += started.filter(({ status }) => status === 'rejected').length;
      }
      return count;
    }
    return [
      {
        what: `replicas that crashed at their start, of ${deploys * replicaCount} in ${deploys} deploys`,
        naive: await crashed(naiveMigrate),
        recipe: await crashed(migrate),
      },
    ];
  },
};
