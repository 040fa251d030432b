/**
 * "The lock had a time to live of ten seconds. Its holder was paused for twelve, and then overwrote what its successor had written."
 *
 * No lock can prevent that: when the pause ends, the holder does not know of the loss yet. The table can: it remembers the highest
 * token that it has seen, and refuses a writer with a lower one.
 */
import type { KeyLease } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';

export const reports =
  'create table reports (id text primary key, text text, fence bigint not null default 0)';

/** Resolves with `false`, and writes nothing, when a holder of a later lease has written already. */
export async function writeFenced(
  pool: PostgresPool,
  lease: KeyLease<string>,
  text: string,
): Promise<boolean> {
  const sql = `insert into reports values ($1, $2, $3)
    on conflict (id) do update set text = excluded.text, fence = excluded.fence
    where reports.fence <= excluded.fence`;
  const { rowCount } = await pool.query(sql, [lease.key, text, String(lease.token)]);
  return rowCount === 1;
}
