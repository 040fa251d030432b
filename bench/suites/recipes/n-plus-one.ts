import type { PostgresPool } from 'latchkey/postgres';
import { customerLoader } from '../../../docs/recipes/n-plus-one.js';
import { customersOf } from '../../../docs/recipes/naive/n-plus-one.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const orders = Array.from({ length: 100 }, (_, n) => ({ customerId: n * 7 }));
const pages = 200;

export const nPlusOne: RecipeCost = {
  name: 'n-plus-one',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;
    await pool.query('drop table if exists customers');
    await pool.query(
      "create table customers as select id, 'customer ' || id as name from generate_series(0, 999) as id",
    );
    await pool.query('alter table customers add primary key (id)');
    let queries = 0;
    const counting: PostgresPool = {
      connect: () => pool.connect(),
      query(text, values) {
        queries++;
        return pool.query(text, values);
      },
    };
    async function shown(page: () => Promise<unknown>) {
      await page();
      queries = 0;
      const ms = await elapsedMs(async () => {
        for (let n = 0; n < pages; n++) await page();
      });
      return { queries: queries / pages, ms: ms / pages };
    }
    const naive = await shown(() => customersOf(counting, orders));
    const recipe = await shown(() => {
      const loader = customerLoader(counting);
      return Promise.all(orders.map(({ customerId }) => loader.load(customerId)));
    });
    return [
      { what: `queries for a page of ${orders.length} orders`, naive: naive.queries, recipe: recipe.queries },
      {
        what: 'the page, with the database on the same machine',
        unit: 'ms',
        naive: naive.ms,
        recipe: recipe.ms,
      },
    ];
  },
};
