/**
 * "Two people bought the last ticket, and the counter says that one is left."
 *
 * When two callers read at the same time, one overwrites the other. Three answers, from the cheapest to the most general. Where SQL
 * can compute the new value (`set sold = sold + 1 where sold < seats`), that is better than all three.
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

/** One buyer at a time per show. Nothing is retried, whatever the number of buyers. */
export function sellLocked(pool: PostgresPool, id: number): Promise<unknown> {
  return lockedTransaction(pool, `show:${id}`, async (client) => {
    const { rows } = await client.query(read, [id]);
    await client.query(write, [id, sell(rows[0]).sold]);
  });
}

/** Writes only if no other writer has. For rows that two buyers seldom want at the same time. */
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

/** PostgreSQL notices the conflict, and the transaction runs again. Also for rules over several rows. */
export function sellSerializable(pool: PostgresPool, id: number): Promise<unknown> {
  return retryTransaction(pool, async (client) => {
    const { rows } = await client.query(read, [id]);
    await client.query(write, [id, sell(rows[0]).sold]);
  });
}
