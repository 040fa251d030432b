import pg from 'pg';
import { importAll } from '../../../docs/recipes/batches.js';
import { importProducts, type Product } from '../../../docs/recipes/naive/batches.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const size = 50_000;

function* products(wrong?: number): Generator<Product> {
  for (let id = 0; id < size; id++) yield { id, price: id === wrong ? -1 : id };
}

export const batches: RecipeCost = {
  name: 'batches',
  async measure(engines) {
    const { connectionOptions } = await engines.postgres();
    const pool = new pg.Pool({ ...connectionOptions, max: 8 });
    const isRowError = (error: unknown) => /^(22|23)/.test((error as { code?: string }).code ?? '');
    const save = async (batch: readonly Product[]) => {
      await pool.query('insert into products select * from unnest($1::int[], $2::int[])', [
        batch.map(({ id }) => id),
        batch.map(({ price }) => price),
      ]);
    };
    const startOver = async () => {
      await pool.query('drop table if exists products');
      await pool.query('create table products (id int primary key, price int check (price >= 0))');
    };
    const missing = async () => size - (await pool.query('select from products')).rowCount!;
    try {
      await startOver();
      const naiveMs = await elapsedMs(() => importProducts(pool, products()));
      await startOver();
      const recipeMs = await elapsedMs(() => importAll(products(), { save, isRowError }));
      await startOver();
      await importProducts(pool, products(size / 2)).catch(() => {});
      const naiveMissing = await missing();
      await startOver();
      await importAll(products(size / 2), { save, isRowError });
      return [
        {
          what: `${size.toLocaleString('en-US')} rows into PostgreSQL`,
          unit: 'ms',
          naive: naiveMs,
          recipe: recipeMs,
        },
        {
          what: 'rows missing when the caller learns of one wrong row',
          naive: `${naiveMissing.toLocaleString('en-US')} of ${size.toLocaleString('en-US')}`,
          recipe: await missing(),
        },
      ];
    } finally {
      await pool.end();
    }
  },
};
