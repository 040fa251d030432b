import { KeyedMutex } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';

const locks = new KeyedMutex<string>();
const read = async (pool: PostgresPool, id: string): Promise<number> =>
  (await pool.query('select cents from accounts where id = $1', [id])).rows[0].cents;
const write = (pool: PostgresPool, id: string, cents: number) =>
  pool.query('update accounts set cents = $2 where id = $1', [id, cents]);

/** First version: lock each account when it is needed. */
export function transferNested(pool: PostgresPool, from: string, to: string, cents: number) {
  return locks.run(from, async () => {
    const balance = await read(pool, from);
    if (balance < cents) return false;
    await write(pool, from, balance - cents);
    await locks.run(to, async () => write(pool, to, (await read(pool, to)) + cents));
    return true;
  });
}

/** Second version, after the first one hung: no locks, on the assumption that the database is enough. */
export async function transfer(pool: PostgresPool, from: string, to: string, cents: number) {
  const balance = await read(pool, from);
  if (balance < cents) return false;
  await write(pool, from, balance - cents);
  await write(pool, to, (await read(pool, to)) + cents);
  return true;
}
