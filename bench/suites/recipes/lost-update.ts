import { gatherSettled } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';
import { sellLocked, sellSerializable, sellVersioned } from '../../../docs/recipes/lost-update.js';
import { sell } from '../../../docs/recipes/naive/lost-update.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import { median } from '../../harness/statistics.js';
import { type Figure, type RecipeCost, shown } from './recipe.js';

const seats = 200;
const buyers = 400;
/** Of each way; the figures are medians. */
const sales = 5;

const ways = {
  naive: sell,
  '`sellLocked`': sellLocked,
  '`sellVersioned`': sellVersioned,
  '`sellSerializable`': sellSerializable,
  'the sum in SQL': sellInSql,
} as const;

export const lostUpdate: RecipeCost = {
  name: 'lost-update',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;
    async function sale(concurrency: number, way: (pool: PostgresPool, id: number) => Promise<unknown>) {
      const tickets: number[] = [];
      const ms: number[] = [];
      for (let n = 0; n < sales; n++) {
        await pool.query('drop table if exists shows');
        await pool.query(
          'create table shows (id int primary key, sold int, seats int, version int default 0)',
        );
        await pool.query('insert into shows values (1, 0, $1)', [seats]);
        const { succeeded, durationMs } = await gatherSettled(
          Array.from({ length: buyers }, (_, buyer) => replicas.pools[buyer % 2]!),
          (replica) => way(replica, 1),
          { concurrency },
        );
        tickets.push(succeeded);
        ms.push(durationMs);
      }
      return { tickets: median(tickets), ms: median(ms) };
    }
    // Connections are made when they are first needed.
    await sale(buyers, sell);
    const figures: Figure[] = [];
    for (const [what, way] of Object.entries(ways)) {
      const some = await sale(16, way);
      const all = await sale(buyers, way);
      figures.push({
        what,
        [`tickets for ${seats} seats`]: Math.max(some.tickets, all.tickets),
        '16 at a time': shown(some.ms, 'ms'),
        'all at once': shown(all.ms, 'ms'),
      });
    }
    return figures;
  },
};

async function sellInSql(pool: PostgresPool, id: number): Promise<void> {
  const sql = 'update shows set sold = sold + 1 where id = $1 and sold < seats';
  const { rowCount } = await pool.query(sql, [id]);
  if (rowCount === 0) throw new Error('sold out');
}
