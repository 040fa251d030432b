import type { PostgresPool } from 'latchkey/postgres';

export interface Product {
  readonly id: number;
  readonly price: number;
}

/** A row at a time, all at once: every row is in memory twice, and the first that is wrong ends it, half done. */
export async function importProducts(pool: PostgresPool, products: Iterable<Product>): Promise<void> {
  const all = [...products];
  await Promise.all(
    all.map(({ id, price }) => pool.query('insert into products values ($1, $2)', [id, price])),
  );
}
