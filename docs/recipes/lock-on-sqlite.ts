/**
 * "We have no PostgreSQL and no Redis, only a file of SQLite that four workers of one machine share."
 *
 * An engine for `RemoteMutex`: a row per key, with its owner, its token and its end. Each method is one statement, which SQLite
 * carries out alone. The lock adds the rest: the queue of callers, renewals, deadlines, giving up.
 */
import type { LeaseAnswer, LeaseEngine, LeaseRequest } from 'latchkey/remote-locks';

/** `DatabaseSync` of node:sqlite, and `Database` of better-sqlite3 and libsql. */
export interface Sqlite {
  exec(sql: string): unknown;
  prepare(sql: string): {
    get(...values: (string | number)[]): unknown;
    run(...values: (string | number)[]): { changes: number | bigint };
  };
}

const now = "cast(unixepoch('subsec') * 1000 as integer)";
const isOurs = `key = ?1 and owner = ?2 and ends_at > ${now}`;

export class SqliteEngine implements LeaseEngine {
  readonly #acquire;
  readonly #end;
  readonly #renew;
  readonly #release;

  constructor(database: Sqlite) {
    // The timeout comes first: the change to WAL waits for other processes as well.
    database.exec('pragma busy_timeout = 1000; pragma journal_mode = wal');
    database.exec(
      'create table if not exists leases (key text primary key, owner text, token integer, ends_at integer)',
    );
    // A row is never deleted, and a clock that is set back changes nothing: tokens grow.
    this.#acquire = database.prepare(`
      insert into leases values (?1, ?2, ${now} * 1000, ${now} + ?3)
      on conflict (key) do update set owner = ?2, ends_at = excluded.ends_at,
        token = case when owner = ?2 then token else max(token + 1, excluded.token) end
      where ends_at <= ${now} or owner = ?2
      returning token`);
    this.#end = database.prepare(`select ends_at - ${now} as ms from leases where key = ?1`);
    this.#renew = database.prepare(`update leases set ends_at = ${now} + ?3 where ${isOurs}`);
    this.#release = database.prepare(`update leases set owner = null, ends_at = 0 where ${isOurs}`);
  }

  async acquire({ key, owner, ttlMs }: LeaseRequest): Promise<LeaseAnswer> {
    const granted = this.#acquire.get(key, owner, ttlMs) as { token: number } | undefined;
    if (granted !== undefined) return { token: BigInt(granted.token) };
    const { ms } = this.#end.get(key) as { ms: number };
    return { freeInMs: Math.max(0, ms) };
  }

  async renew(key: string, owner: string, ttlMs: number): Promise<boolean> {
    return Number(this.#renew.run(key, owner, ttlMs).changes) === 1;
  }

  async release(key: string, owner: string): Promise<boolean> {
    return Number(this.#release.run(key, owner).changes) === 1;
  }
}
