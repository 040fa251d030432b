import type { PostgresPool } from 'latchkey/postgres';

export interface Product {
  readonly id: number;
  readonly price: number;
}

/** One query per row, all at once. Every row is in memory twice, and the first bad row rejects a half-finished import. */
export async function importProducts(pool: PostgresPool, products: Iterable<Product>): Promise<void> {
  const all = [...products];
  await Promise.all(
    all.map(({ id, price }) => pool.query('insert into products values ($1, $2)', [id, price])),
  );
}
