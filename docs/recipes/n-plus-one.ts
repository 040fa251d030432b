/**
 * "A page with a hundred orders makes a hundred queries for their customers."
 *
 * dataloader collects the keys of one turn and makes one query. The values must be in the order of the keys. The loader is also
 * a cache, so make one per request.
 */
import DataLoader from 'dataloader';
import type { PostgresPool } from 'latchkey/postgres';

export interface Customer {
  readonly id: number;
  readonly name: string;
}

export function customerLoader(pool: PostgresPool): DataLoader<number, Customer | undefined> {
  return new DataLoader(async (ids) => {
    const { rows } = await pool.query('select id, name from customers where id = any ($1)', [ids]);
    const byId = new Map(rows.map((row) => [row.id as number, row as Customer]));
    return ids.map((id) => byId.get(id));
  });
}
