import { gatherSettled } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';
import { sellLocked, sellSerializable, sellVersioned } from '../../../docs/recipes/lost-update.js';
import { sell } from '../../../docs/recipes/naive/lost-update.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import { median } from '../../harness/statistics.js';
import type { Figure, RecipeCost } from './recipe.js';

const seats = 200;
const buyers = 400;
/** Of each way; the figures are medians. */
const sales = 5;

const ways = {
  lockedTransaction: sellLocked,
  updateVersioned: sellVersioned,
  'retryTransaction, serializable': sellSerializable,
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
    for (const concurrency of [16, buyers]) {
      const naive = await sale(concurrency, sell);
      for (const [name, way] of Object.entries(ways)) {
        const recipe = await sale(concurrency, way);
        const whose = `${concurrency} at a time, ${name}`;
        figures.push(
          { what: `tickets for ${seats} seats, ${whose}`, naive: naive.tickets, recipe: recipe.tickets },
          { what: `ms for ${buyers} buyers, ${whose}`, naive: naive.ms, recipe: recipe.ms },
        );
      }
    }
    return figures;
  },
};

async function sellInSql(pool: PostgresPool, id: number): Promise<void> {
  const sql = 'update shows set sold = sold + 1 where id = $1 and sold < seats';
  const { rowCount } = await pool.query(sql, [id]);
  if (rowCount === 0) throw new Error('sold out');
}
