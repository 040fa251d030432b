/** Advisory locks of PostgreSQL: the number that stands for a key, and the statements that wait for it. */

/** Who owns the lock: the connection, until it unlocks, or the transaction, until it ends. */
export type LockScope = 'session' | 'xact';

/**
 * The number of a lock: 64 bits of a hash of the names, as text, because a driver may not accept a bigint. It is computed
 * here and not in SQL: the result of `hashtextextended` may change with the version of the server. Names contain no NUL.
 */
export async function advisoryKey(namespace: string, key: string): Promise<string> {
  const bytes = new TextEncoder().encode(`${namespace}\0${key}`);
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return new DataView(digest).getBigInt64(0).toString();
}

/** The longest slice of a wait in the database, in milliseconds: between two slices a caller may leave. */
export const longestSliceMs = 2_000;

/** Who holds the lock, as a part of a statement: sessions of this database. */
function grantsOf(lock: string): string {
  return `pg_locks where locktype = 'advisory' and granted and objsubid = 1
        and database = (select oid from pg_database where datname = current_database())
        and classid::bigint = ('${lock}'::bigint >> 32) & 4294967295 and objid::bigint = '${lock}'::bigint & 4294967295`;
}

/** A statement that names the session which holds the lock. */
export function holderOf(lock: string): string {
  return `with holders as (select pid from ${grantsOf(lock)})
    select concat_ws(' ', nullif(application_name, ''), 'backend ' || holders.pid) as owner
    from holders left join pg_stat_activity using (pid)`;
}

/** Statements that take the lock if it is free. The setting `latchkey.got` says whether they did. */
export function tryLock(lock: string, scope: LockScope): string {
  const name = scope === 'session' ? 'pg_try_advisory_lock' : 'pg_try_advisory_xact_lock';
  return `select set_config('latchkey.got', ${name}('${lock}'::bigint)::text, true)`;
}

/**
 * Statements that wait for the lock, `sliceMs` milliseconds at most. The setting `latchkey.got` says whether they got it. They
 * must be sent as one text, which makes them one transaction; in a transaction of the caller the timeouts are set back.
 *
 * - The timeout is caught inside the server, because its log would show an uncaught one as an ERROR, every slice.
 * - PostgreSQL may grant a session lock and still report the timeout, when it fires before the waiting backend has run
 *   again. So `pg_locks` is asked for the holder. A transaction lock is released with the block's subtransaction.
 */
export function waitForLock(lock: string, scope: LockScope, sliceMs: number): string {
  const call = scope === 'session' ? 'pg_advisory_lock' : 'pg_advisory_xact_lock';
  const number = `'${lock}'::bigint`;
  return `select set_config('latchkey.lock_timeout', current_setting('lock_timeout'), true),
    set_config('latchkey.statement_timeout', current_setting('statement_timeout'), true),
    set_config('latchkey.got', 'true', true);
  select set_config('lock_timeout', '${Math.max(1, Math.ceil(sliceMs))}', true),
    set_config('statement_timeout', '0', true);
  do $$ begin
    perform ${call}(${number});
  exception when lock_not_available then
    perform set_config('latchkey.got', exists (
      select from ${grantsOf(lock)} and pid = pg_backend_pid()
    )::text, true);
  end $$;
  select set_config('lock_timeout', current_setting('latchkey.lock_timeout'), true),
    set_config('statement_timeout', current_setting('latchkey.statement_timeout'), true)`;
}

/** Whether the statements before it, of the same text, got the lock. */
export const gotIt = "current_setting('latchkey.got') = 'true'";
