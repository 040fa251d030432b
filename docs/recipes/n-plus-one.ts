/**
 * "The page with a hundred orders asks the database a hundred times for the customer."
 *
 * dataloader collects the keys of one turn and asks once. Two traps: the answers must come in the order of the keys, and the
 * loader is a cache, so make one per request.
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
