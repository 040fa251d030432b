/** A PostgreSQL for the tests of a file or a group, and pools on it. They end with the tests. */
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { type PostgresServer, startPostgres } from '../../support/engines/postgres.js';

export function postgresForTests({ max = 10 } = {}) {
  let server: PostgresServer | undefined;
  const pools: pg.Pool[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    await server?.[Symbol.asyncDispose]();
  });
  return {
    /** Those that were made. */
    pools: pools as readonly pg.Pool[],
    get server(): PostgresServer {
      return server!;
    },
    poolOf(options: pg.PoolConfig = {}): pg.Pool {
      const pool = new pg.Pool({ ...server!.connectionOptions, max, ...options });
      pool.on('error', () => {});
      pools.push(pool);
      return pool;
    },
  };
}
