import { gatherSettled } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';
import { customerOf, customers } from '../../../docs/recipes/get-or-create.js';
import { customerOf as naiveCustomerOf } from '../../../docs/recipes/naive/get-or-create.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import type { RecipeCost } from './recipe.js';

const people = 500;
const unconstrained = 'create table customers (id serial primary key, email text not null)';

export const getOrCreate: RecipeCost = {
  name: 'get-or-create',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;

    /** Everybody clicks twice, and each click goes to another replica. */
    async function doubleClicks(
      schema: string,
      way: (pool: PostgresPool, email: string) => Promise<unknown>,
    ) {
      await pool.query(`drop table if exists customers; ${schema}`);
      let errors = 0;
      await gatherSettled(
        Array.from({ length: people }, (_, n) => `${n}@example.com`),
        (email) => replicas.each((replica) => way(replica, email).catch(() => errors++)),
        { concurrency: 8 },
      );
      return { rows: (await pool.query('select from customers')).rowCount!, errors };
    }
    const bare = await doubleClicks(unconstrained, naiveCustomerOf);
    const naive = await doubleClicks(customers, naiveCustomerOf);
    const recipe = await doubleClicks(customers, customerOf);
    return [
      {
        what: `customers after ${people} double clicks`,
        'naive, no constraint': bare.rows,
        'naive, with it': naive.rows,
        recipe: recipe.rows,
      },
      {
        what: 'clicks answered with an error',
        'naive, no constraint': bare.errors,
        'naive, with it': naive.errors,
        recipe: recipe.errors,
      },
    ];
  },
};
