/**
 * "Two people bought the last ticket, and the counter says that one is left."
 *
 * Of two who read at once, one overwrites the other. Three answers, from the cheapest to the most general. Where SQL can do
 * the sum (`set sold = sold + 1 where sold < seats`), that is better than all of them.
 */
import { lockedTransaction, type PostgresPool, retryTransaction, updateVersioned } from 'latchkey/postgres';

interface Show {
  readonly sold: number;
  readonly seats: number;
}

const sell = (show: Show): Show => {
  if (show.sold >= show.seats) throw new Error('sold out');
  return { ...show, sold: show.sold + 1 };
};
const read = 'select sold, seats, version from shows where id = $1';
const write = 'update shows set sold = $2, version = version + 1 where id = $1';

/** One at a time per show: no retries, however many come. */
export function sellLocked(pool: PostgresPool, id: number): Promise<unknown> {
  return lockedTransaction(pool, `show:${id}`, async (client) => {
    const { rows } = await client.query(read, [id]);
    await client.query(write, [id, sell(rows[0]).sold]);
  });
}

/** Writes only if nobody else has: for rows that two people seldom want at once. */
export function sellVersioned(pool: PostgresPool, id: number): Promise<unknown> {
  return updateVersioned<Show>({
    read: async () => {
      const { rows } = await pool.query(read, [id]);
      return rows[0] && { value: rows[0], version: rows[0].version };
    },
    change: sell,
    write: async (show, version) =>
      (await pool.query(`${write} and version = $3`, [id, show.sold, version])).rowCount,
  });
}

/** PostgreSQL notices, and the whole transaction is run again: for rules that span several rows, too. */
export function sellSerializable(pool: PostgresPool, id: number): Promise<unknown> {
  return retryTransaction(pool, async (client) => {
    const { rows } = await client.query(read, [id]);
    await client.query(write, [id, sell(rows[0]).sold]);
  });
}
