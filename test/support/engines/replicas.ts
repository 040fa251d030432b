import type { PostgresPool } from 'latchkey/postgres';
import pg from 'pg';
import { readTogether } from '../read-together.js';
import type { PostgresServer } from './postgres.js';

/** Two replicas of a service, as PostgreSQL sees them: a pool each. */
export interface Replicas extends AsyncDisposable {
  readonly pools: readonly [pg.Pool, pg.Pool];
  /** Runs the task in both at once. */
  each<T>(task: (pool: pg.Pool, index: number) => Promise<T>): Promise<T[]>;
  /** The same at the worst moment: neither gets its answer before both have read. */
  together<T>(task: (pool: PostgresPool, index: number) => Promise<T>): Promise<T[]>;
}

export function replicasOf({ connectionOptions }: PostgresServer, { max = 10 } = {}): Replicas {
  const pools = [0, 1].map(() => new pg.Pool({ ...connectionOptions, max })) as [pg.Pool, pg.Pool];
  for (const pool of pools) pool.on('error', () => {});
  return {
    pools,
    each: (task) => Promise.all(pools.map(task)),
    together: (task) => Promise.all(readTogether(...pools).map(task)),
    async [Symbol.asyncDispose]() {
      for (const pool of pools) await pool.end();
    },
  };
}
