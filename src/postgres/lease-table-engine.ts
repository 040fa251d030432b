/**
 * Leases in a table: a row per key, with its owner, its token and its end by the server's clock. Works through any pooler.
 *
 * Rows are cleared and never deleted: a row that was made anew would begin its tokens anew. A token is the larger of the last
 * one plus one and the server's clock in microseconds, so that tokens grow even when the table was lost.
 */
import { printable } from '../contract/errors.js';
import type { LeaseAnswer, LeaseEngine, LeaseRequest } from '../remote-locks/lease-engine.js';
import type { PostgresPool } from './postgres-client.js';

export const defaultTable = 'latchkey_leases';

/** The DDL of the table, for a migration. @throws TypeError for a name that would have to be quoted. */
export function leaseTableSchema(table = defaultTable): string {
  return `create table if not exists ${checkedTable(table)} (
  key text primary key,
  owner text,
  token bigint not null,
  expires_at timestamptz not null
)`;
}

export function checkedTable(table: unknown): string {
  if (typeof table === 'string' && /^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$/.test(table)) return table;
  throw new TypeError(`table must be a plain lower-case name, got ${printable(table)}`);
}

export class LeaseTableEngine implements LeaseEngine {
  readonly #pool: PostgresPool;
  readonly #prefix: string;
  readonly #places: number;
  readonly #sql: ReturnType<typeof statements>;

  /** `places`: how many may hold a key at once; each of them is a row. */
  constructor(pool: PostgresPool, namespace: string, table: string, places = 1) {
    this.#pool = pool;
    this.#prefix = `${namespace}:`;
    this.#places = places;
    this.#sql = statements(checkedTable(table));
  }

  async acquire({ key, owner, ttlMs }: LeaseRequest): Promise<LeaseAnswer> {
    const places = this.#placesOf(key);
    const { rows } = await this.#pool.query(this.#sql.acquire, [places, owner, ttlMs]);
    if (rows.length > 0) return { token: BigInt(rows[0].token as string) };
    const { rows: others } = await this.#pool.query(this.#sql.freeIn, [places]);
    return { freeInMs: Math.max(0, Number(others[0]?.ms ?? 0)) };
  }

  async renew(key: string, owner: string, ttlMs: number): Promise<boolean> {
    const { rowCount } = await this.#pool.query(this.#sql.renew, [this.#placesOf(key), owner, ttlMs]);
    return rowCount === 1;
  }

  async release(key: string, owner: string): Promise<boolean> {
    const { rowCount } = await this.#pool.query(this.#sql.release, [this.#placesOf(key), owner]);
    return rowCount === 1;
  }

  #placesOf(key: string): string[] {
    const name = `${this.#prefix}${key}`;
    return this.#places === 1 ? [name] : Array.from({ length: this.#places }, (_, i) => `${name}#${i}`);
  }
}

/** $1 the rows, $2 the owner, $3 the time to live in milliseconds. */
function statements(table: string) {
  const end = "clock_timestamp() + $3 * interval '1 ms'";
  const token = '(extract(epoch from clock_timestamp()) * 1e6)::bigint';
  return {
    acquire: `
      with place as (
        select wanted.key from unnest($1::text[]) as wanted (key)
        left join ${table} as held on held.key = wanted.key
        where held.key is null or held.expires_at <= clock_timestamp() or held.owner = $2
        order by held.owner is not distinct from $2 desc, random() limit 1
      )
      insert into ${table} as lease (key, owner, token, expires_at)
      select key, $2, ${token}, ${end} from place
      on conflict (key) do update set
        owner = excluded.owner,
        token = case when lease.owner = $2 then lease.token else greatest(lease.token + 1, excluded.token) end,
        expires_at = ${end}
      where lease.expires_at <= clock_timestamp() or lease.owner = $2
      returning token::text`,
    freeIn: `
      select extract(epoch from min(expires_at) - clock_timestamp()) * 1000 as ms
      from ${table} where key = any ($1)`,
    renew: `
      update ${table} set expires_at = ${end}
      where key = any ($1) and owner = $2 and expires_at > clock_timestamp()`,
    release: `
      update ${table} set owner = null, expires_at = '-infinity'
      where key = any ($1) and owner = $2`,
  };
}
