/**
 * PostgresMutex: one holder at a time for each key, over all processes that use the same PostgreSQL.
 *
 * There are two modes, and no default, because neither is always right:
 *   'session'     an advisory lock of a connection. Hand-over within a millisecond, in the server's order. It takes a
 *                 connection per key that is held or waited for (or shares one: `shareConnection`), and does not work through a
 *                 pooler that changes connections between transactions.
 *   'leaseTable'  a row with an owner and an end. Works everywhere; waiters ask again after 25 to 250 ms.
 * For writes to this same database, `lockedTransaction` is simpler, and safe without tokens.
 *
 * Invariants: those of LeaseKeeper and of the engine (SE, SS, PE), and
 *   PM1  No owner frees or renews the lock of another one.
 *   PM2  Tokens of a key grow with every grant.
 *
 * Hand-over, Cancel: as LeaseKeeper; a lock that is granted after its caller has left is freed.
 * Cost: one round trip to lock and one to unlock.
 * What it is not: a guard of writes elsewhere. A holder may be paused, and write after it has lost the lock: fence with
 *   `lease.token`. After a failover to a replica that lags behind, a lock may be granted twice.
 * Lineage: madelson's DistributedLock; ShedLock's table.
 */
import {
  checkBoolean,
  checkDuration,
  checkOptions,
  type OptionNames,
  ownOptions,
} from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import { checkName } from '../remote-locks/key-name.js';
import type { LeaseEngine } from '../remote-locks/lease-engine.js';
import { type LeaseOptions, leaseOptionNames, leaseOptionsOf } from '../remote-locks/lease-options.js';
import { RemoteMutex } from '../remote-locks/remote-lock.js';
import { LeaseTableEngine } from './lease-table-engine.js';
import { keepaliveMs } from './lock-session.js';
import { checkPool, type PostgresPool } from './postgres-client.js';
import { SessionEngine } from './session-engine.js';
import { SharedSessionEngine } from './shared-session-engine.js';

/** Options of `PostgresMutex`. */
export interface PostgresMutexOptions extends LeaseOptions {
  /** `'session'`: an advisory lock of a connection; `ttlMs` must be less than 25_000. `'leaseTable'`: a row of a table. */
  mode: 'session' | 'leaseTable';
  /** Keys of different namespaces are different locks. Default 'latchkey'. */
  namespace?: string | undefined;
  /** Of mode 'leaseTable'; `leaseTableSchema` creates it. Default 'latchkey_leases'. */
  table?: string | undefined;
  /**
   * Of mode 'leaseTable': whether a lease may end by the server's clock. Default `true`. With `false`, in every process, a lease is
   * taken over only when the waiter has seen it without a renewal for a time to live.
   */
  trustClock?: boolean | undefined;
  /** Of mode 'session': the pooler in between keeps one server connection per client (pgbouncer: `pool_mode = session`). */
  trustPooler?: boolean | undefined;
  /**
   * Of mode 'session': one connection for all keys of this object, instead of one per key. Its waiters ask again after 25 to 250 ms.
   * Default `false`.
   */
  shareConnection?: boolean | undefined;
}

const optionNames: OptionNames<PostgresMutexOptions> = {
  ...leaseOptionNames,
  mode: true,
  namespace: true,
  table: true,
  trustClock: true,
  trustPooler: true,
  shareConnection: true,
};

/**
 * One holder at a time for each key, over all processes that use the same PostgreSQL. In mode 'session' a key and
 * `lockedTransaction` with the same namespace and key exclude each other.
 *
 * @example
 * ```ts no-run
 * import { PostgresMutex } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const mutex = new PostgresMutex(new pg.Pool(), { mode: 'session' });
 * const sent = await mutex.run('report', async (lease) => {
 *   lease.signal.throwIfAborted();
 *   return 'sent once';
 * });
 * console.log(sent); // → sent once
 * ```
 */
export class PostgresMutex<K extends string | number | bigint = string> extends RemoteMutex<K> {
  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(pool: PostgresPool, options: PostgresMutexOptions) {
    const own = ownOptions(options);
    super(engineOf(pool, own), leaseOptionsOf(own));
  }
}

function engineOf(pool: PostgresPool, options: PostgresMutexOptions): LeaseEngine {
  checkPool(pool);
  checkOptions(options, optionNames);
  const {
    mode,
    namespace = 'latchkey',
    table,
    ttlMs = 10_000,
    trustClock = true,
    trustPooler = false,
    shareConnection = false,
  } = options;
  if (mode !== 'session' && mode !== 'leaseTable') {
    throw new TypeError(`mode must be 'session' or 'leaseTable', got ${printable(mode)}`);
  }
  checkName('namespace', namespace);
  checkBoolean('trustClock', trustClock);
  checkBoolean('trustPooler', trustPooler);
  checkBoolean('shareConnection', shareConnection);
  if (mode === 'leaseTable') return new LeaseTableEngine(pool, 'mutex', namespace, { table, trustClock });
  checkDuration('ttlMs', ttlMs);
  if (ttlMs >= keepaliveMs) {
    throw new RangeError(`ttlMs must be less than ${keepaliveMs} in mode 'session', got ${printable(ttlMs)}`);
  }
  const Engine = shareConnection ? SharedSessionEngine : SessionEngine;
  return new Engine(pool, namespace, trustPooler);
}
