/**
 * PostgresSemaphore: at most `limit` holders at a time, over all processes that use the same PostgreSQL. Each place is a row
 * of the lease table.
 *
 * Invariants: those of LeaseKeeper and of the lease table (PE), and
 *   PS1  Each place has at most one owner whose end has not come by the server's clock.
 *
 * Hand-over: first come, first served within a process; between processes the first that asks. Waiters ask again after
 *   25 to 250 ms.
 * Cancel, Cost: as PostgresMutex in mode 'leaseTable'.
 */
import { checkBoolean, checkOptions, type OptionNames, ownOptions } from '../contract/arguments.js';
import { checkName } from '../remote-locks/key-name.js';
import {
  checkPlaces,
  type LeaseOptions,
  leaseOptionNames,
  leaseOptionsOf,
} from '../remote-locks/lease-options.js';
import { RemoteSemaphore } from '../remote-locks/remote-lock.js';
import { LeaseTableEngine } from './lease-table-engine.js';
import { checkPool, type PostgresPool } from './postgres-client.js';

/** Options of `PostgresSemaphore`. */
export interface PostgresSemaphoreOptions extends LeaseOptions {
  /** Semaphores of one name share their places. */
  name: string;
  /** Names of different namespaces are different semaphores. Default 'latchkey'. */
  namespace?: string | undefined;
  /** Created by `leaseTableSchema`. Default 'latchkey_leases'. */
  table?: string | undefined;
  /** Whether a lease may end by the server's clock: see `PostgresMutexOptions`. Default `true`. */
  trustClock?: boolean | undefined;
}

const optionNames: OptionNames<PostgresSemaphoreOptions> = {
  ...leaseOptionNames,
  name: true,
  namespace: true,
  table: true,
  trustClock: true,
};

/**
 * At most `limit` holders at a time, over all processes that use the same PostgreSQL and name.
 *
 * @example
 * ```ts no-run
 * import { leaseTableSchema, PostgresSemaphore } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const pool = new pg.Pool();
 * await pool.query(leaseTableSchema());
 * const semaphore = new PostgresSemaphore(pool, 5, { name: 'reports' });
 * console.log(await semaphore.run(() => 'one of five')); // → one of five
 * ```
 */
export class PostgresSemaphore extends RemoteSemaphore {
  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(pool: PostgresPool, limit: number, options: PostgresSemaphoreOptions) {
    checkPool(pool);
    checkPlaces(limit);
    const own = ownOptions(options);
    checkOptions(own, optionNames);
    const { name, namespace = 'latchkey', table, trustClock = true } = own;
    checkName('name', name);
    checkName('namespace', namespace);
    checkBoolean('trustClock', trustClock);
    const engine = new LeaseTableEngine(pool, 'semaphore', namespace, { table, trustClock, places: limit });
    super(engine, limit, name, leaseOptionsOf(own));
  }
}
