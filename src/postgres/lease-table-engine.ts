/**
 * Leases in a table: a row per key, with its owner, its token and its end by the server's clock. Works through any pooler.
 *
 * Invariants
 *   PE1  A row has one owner at a time, whose end has not come by the server's clock. No other owner renews or frees it.
 *   PE2  Tokens of a key grow with every grant: the larger of the last token plus one and the server's clock in microseconds,
 *        so that they grow also when the row or the table was lost.
 *   PE3  A renewal never takes back a row whose end has come.
 *   PE4  Names are injective: two locks of different kind, namespace or key never share a row.
 *   PE5  It works at every isolation level that the application sets as the default: 40001 is retried.
 *   PE6  A row that was released is free whatever the server's clock says, also when that has been set back.
 *   PE7  With `trustClock: false`, a row is taken over only when it has not been renewed for a time to live by the monotonic clock
 *        of the process that takes it over.
 *
 * Hand-over: waiters ask again after 25 to 250 ms.
 * Cost: one statement to acquire, renew or release; a second one when the key is taken. A row per key stays until `pruneLeases`.
 * What it is not: by default, safe against a server clock that steps forward by a time to live: fence the writes.
 */
import { checkDuration } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import { escaped, type LockKind, taggedKey } from '../remote-locks/key-name.js';
import type { LeaseAnswer, LeaseEngine, LeaseHolder, LeaseRequest } from '../remote-locks/lease-engine.js';
import { exponential } from '../retry/backoff.js';
import { retry } from '../retry/retry.js';
import { checkPool, type PostgresPool, type PostgresResult, sizeOf } from './postgres-client.js';
import { isTransactionConflict } from './sql-state.js';
import { UnrenewedLeases } from './unrenewed-leases.js';

export const defaultTable = 'latchkey_leases';

/**
 * The DDL of the table of leases, for a migration or for the start of the program: it may run in many processes at once, and
 * does nothing when the table exists. `table` is a plain lower-case name, with a schema or without.
 *
 * @throws TypeError for a name that would have to be quoted.
 *
 * @example
 * ```ts no-run
 * import { leaseTableSchema } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const pool = new pg.Pool();
 * await pool.query(leaseTableSchema());
 * console.log((await pool.query('select from latchkey_leases')).rowCount); // → 0
 * ```
 */
export function leaseTableSchema(table = defaultTable): string {
  const name = checkedTable(table);
  // "if not exists" alone fails with 23505 when two sessions create the table at once, and for a role that may not create.
  return `do $$ begin
  if to_regclass('${name}') is null then
    perform pg_advisory_xact_lock(7381240360481337);
    create table if not exists ${name} (
      key text primary key,
      owner text,
      token bigint not null,
      expires_at timestamptz not null
    );
  end if;
end $$`;
}

export function checkedTable(table: unknown): string {
  if (typeof table === 'string' && /^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$/.test(table)) return table;
  throw new TypeError(`table must be a plain lower-case name, got ${printable(table)}`);
}

/** Which leases `pruneLeases` deletes. */
export interface PruneOptions {
  /** Deletes leases that ended at least this many milliseconds ago. */
  olderThanMs: number;
  /** Default 'latchkey_leases'. */
  table?: string | undefined;
}

/**
 * Deletes rows of keys that have not been held for a while. Resolves with how many. Tokens still grow: a row whose token is ahead
 * of the server's clock stays.
 *
 * @example
 * ```ts no-run
 * import { pruneLeases } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const deleted = await pruneLeases(new pg.Pool(), { olderThanMs: 86_400_000 });
 * console.log(`${deleted} rows deleted`); // → 0 rows deleted
 * ```
 */
export async function pruneLeases(pool: PostgresPool, options: PruneOptions): Promise<number> {
  checkPool(pool);
  const { olderThanMs, table = defaultTable } = Object(options) as PruneOptions;
  checkDuration('olderThanMs', olderThanMs);
  if (olderThanMs === Infinity) throw new RangeError('olderThanMs must be finite, got Infinity');
  const { prune } = statements(checkedTable(table), true);
  const { rowCount } = await query(pool, prune, [olderThanMs]);
  return rowCount ?? 0;
}

/** Which table, and how leases in it end. */
export interface LeaseTableSettings {
  readonly table?: string | undefined;
  readonly trustClock?: boolean | undefined;
  readonly places?: number | undefined;
}

export class LeaseTableEngine implements LeaseEngine {
  /** More would only queue in the pool, and renewals behind them. */
  readonly maxRequests: number;
  readonly #pool: PostgresPool;
  readonly #kind: LockKind;
  readonly #prefix: string;
  readonly #places: number;
  readonly #sql: ReturnType<typeof statements>;
  readonly #unrenewed: UnrenewedLeases | undefined;

  /** `places`: how many may hold a key of a semaphore at once; each of them is a row. */
  constructor(
    pool: PostgresPool,
    kind: LockKind,
    namespace: string,
    { table = defaultTable, trustClock = true, places = 1 }: LeaseTableSettings = {},
  ) {
    this.#pool = pool;
    this.#kind = kind;
    this.#prefix = `${escaped(namespace)}:`;
    this.#places = places;
    this.#sql = statements(checkedTable(table), trustClock);
    if (!trustClock) this.#unrenewed = new UnrenewedLeases();
    this.maxRequests = sizeOf(pool);
  }

  async acquire({ key, owner, ttlMs, nowait }: LeaseRequest): Promise<LeaseAnswer> {
    const places = await this.#placesOf(key);
    const over = this.#unrenewed === undefined ? [] : [this.#unrenewed.over(owner)];
    const { rows } = await query(this.#pool, this.#sql.acquire, [places, owner, ttlMs, ...over]);
    if (rows.length > 0) {
      this.#unrenewed?.forget(owner);
      return { token: BigInt(rows[0].token as string) };
    }
    if (nowait) return { freeInMs: Infinity };
    const { rows: others } = await query(this.#pool, this.#sql.held, [places]);
    if (others.length === 0) return { freeInMs: 0 };
    return { freeInMs: this.#unrenewed?.saw(owner, others, ttlMs) ?? Number(others[0].ms) };
  }

  async renew(key: string, owner: string, ttlMs: number): Promise<boolean> {
    const places = await this.#placesOf(key);
    const { rowCount } = await query(this.#pool, this.#sql.renew, [places, owner, ttlMs]);
    return rowCount === 1;
  }

  async release(key: string, owner: string): Promise<boolean> {
    this.#unrenewed?.forget(owner);
    const { rowCount } = await query(this.#pool, this.#sql.release, [await this.#placesOf(key), owner]);
    return rowCount === 1;
  }

  async holder(key: string): Promise<LeaseHolder | undefined> {
    const { rows } = await query(this.#pool, this.#sql.holder, [await this.#placesOf(key)]);
    const [row] = rows;
    return row && { owner: row.owner, heldMs: Number(row.held), leftMs: Number(row.left) };
  }

  async #placesOf(key: string): Promise<string[]> {
    const name = `${this.#prefix}${await taggedKey(this.#kind, key)}`;
    return this.#kind === 'mutex' ? [name] : Array.from({ length: this.#places }, (_, i) => `${name}#${i}`);
  }
}

const betweenConflicts = exponential({ initialMs: 2, maxMs: 50, jitter: 'full' });

function query(pool: PostgresPool, text: string, values: unknown[]): Promise<PostgresResult> {
  return retry(() => pool.query(text, values), {
    attempts: 20,
    backoff: betweenConflicts,
    shouldRetry: isTransactionConflict,
  });
}

/**
 * $1 the rows, $2 the owner, $3 the time to live in milliseconds. $4, when the clock is not trusted: stamps of leases that are
 * over.
 */
function statements(table: string, trustClock: boolean) {
  const end = "clock_timestamp() + $3 * interval '1 ms'";
  const clock = '(extract(epoch from clock_timestamp()) * 1e6)::bigint';
  const stamp = (row: string) => `${row}.owner || ' ' || extract(epoch from ${row}.expires_at)`;
  const isFree = (row: string) =>
    `(${row}.owner is null or ${row}.owner = $2 or ${
      trustClock ? `${row}.expires_at <= clock_timestamp()` : `${stamp(row)} = any ($4::text[])`
    })`;
  const isHeld = trustClock ? 'owner is not null and expires_at > clock_timestamp()' : 'owner is not null';
  return {
    acquire: `
      with rows as (select * from ${table} where key = any ($1)),
      place as (
        select wanted.key from unnest($1::text[]) as wanted (key)
        left join rows as held on held.key = wanted.key
        where held.key is null or ${isFree('held')}
        order by held.owner is not distinct from $2 desc, random() limit 1
      )
      insert into ${table} as lease (key, owner, token, expires_at)
      select key, $2, greatest(${clock}, (select max(token) + 1 from rows)), ${end} from place
      on conflict (key) do update set
        owner = excluded.owner,
        token = case when lease.owner = $2 then lease.token else greatest(lease.token + 1, excluded.token) end,
        expires_at = ${end}
      where ${isFree('lease')}
      returning token::text`,
    /** The rows that are held, the first to end first. */
    held: `
      select ${stamp('lease')} as stamp, extract(epoch from expires_at - clock_timestamp()) * 1000 as ms
      from ${table} as lease where key = any ($1) and ${isHeld} order by expires_at`,
    renew: `
      update ${table} set expires_at = ${end}
      where key = any ($1) and owner = $2 and ${isHeld}`,
    release: `
      update ${table} set owner = null, expires_at = clock_timestamp()
      where key = any ($1) and owner = $2`,
    holder: `
      select owner, greatest(0, ${clock} - token) / 1000.0 as held,
        greatest(0, extract(epoch from expires_at - clock_timestamp()) * 1000) as left
      from ${table} where key = any ($1) and ${isHeld}`,
    prune: `
      delete from ${table}
      where expires_at < clock_timestamp() - $1 * interval '1 ms' and token < ${clock}`,
  };
}
