import type { KeyLease } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';

/** Holds the lock, and checks it just before the write. */
export async function write(pool: PostgresPool, lease: KeyLease<string>, text: string): Promise<void> {
  lease.signal.throwIfAborted();
  const sql = `insert into reports (id, text) values ($1, $2)
    on conflict (id) do update set text = excluded.text`;
  await pool.query(sql, [lease.key, text]);
}
