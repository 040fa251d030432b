import type { PostgresPool } from 'latchkey/postgres';

/** Read, check, write. It passes every test with one buyer. */
export async function sell(pool: PostgresPool, id: number): Promise<void> {
  const { rows } = await pool.query('select sold, seats from shows where id = $1', [id]);
  const { sold, seats } = rows[0];
  if (sold >= seats) throw new Error('sold out');
  await pool.query('update shows set sold = $2 where id = $1', [id, sold + 1]);
}
