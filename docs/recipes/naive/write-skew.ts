import type { PostgresPool } from 'latchkey/postgres';

/** In a transaction at REPEATABLE READ, because its name promises that read data does not change. */
export async function goHome(pool: PostgresPool, name: string): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level repeatable read');
    const { rows } = await client.query('select count(*)::int as n from doctors where on_call');
    const mayGo = rows[0].n >= 2;
    if (mayGo) await client.query('update doctors set on_call = false where name = $1', [name]);
    await client.query('commit');
    return mayGo;
  } finally {
    client.release();
  }
}
