import { leaseTableSchema } from 'latchkey/postgres';
import pg from 'pg';
import { type PostgresServer, startPostgres } from '../../support/engines/postgres.js';
import { type RedisServer, startRedis } from '../../support/engines/redis.js';
import type { LockKind, Orders } from './worker.js';

/** A PostgreSQL with the table of leases, and a Redis. */
export interface Servers extends AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly pool: pg.Pool;
  /** Where the locks of this kind are kept. */
  addressOf(kind: Exclude<LockKind, 'sqlite'>): Orders['address'];
}

export async function startServers(): Promise<Servers> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const pool = new pg.Pool(postgres.connectionOptions);
  pool.on('error', () => {});
  await pool.query(leaseTableSchema());
  return {
    postgres,
    redis,
    pool,
    addressOf: (kind) => (kind.startsWith('redis') ? redis : postgres).connectionOptions,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await Promise.all([postgres[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
    },
  };
}
