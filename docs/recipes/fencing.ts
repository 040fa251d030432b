/**
 * "The lock had a time to live of ten seconds. Its holder was paused for twelve, and then wrote over what his successor had
 * written."
 *
 * No lock can prevent that: when the pause ends, nothing has told the holder yet. What is written to can: it remembers the
 * highest token that it has seen, and refuses whoever comes with a lower one.
 */
import type { KeyLease } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';

export const reports =
  'create table reports (id text primary key, text text, fence bigint not null default 0)';

/** Resolves with whether it was written: not if somebody with a later lease has been here. */
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
