/**
 * PostgresMutex: one holder at a time for each key, over all processes that use the same PostgreSQL.
 *
 * Two modes, and no default, since neither is always right:
 *   'session'     an advisory lock of a connection. Hand-over within a millisecond, in the server's order. Takes a connection
 *                 per key that is held or waited for; not through a pooler that changes connections between transactions.
 *   'leaseTable'  a row with an owner and an end. Works everywhere; those who wait ask every 25 to 250 ms.
 * For writes to this same database, `lockedTransaction` is simpler, and safe without tokens.
 *
 * Invariants: those of LeaseKeeper, and
 *   PM1  Nobody frees or prolongs what is somebody else's.
 *   PM2  Tokens of a key grow with every grant.
 *
 * Cancel: as LeaseKeeper; a lock that is granted after its caller has left is freed.
 * Cost: one round trip to lock and one to unlock.
 * What it is not: a guard of writes elsewhere. A holder may be paused, and write after he has lost the lock: fence with
 *   `lease.token`. After a failover to a replica that lags behind, a lock may be granted twice.
 */
import { checkDuration, checkObject, checkString } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import type { Awaitable, KeyedLock, KeyLease, WaitOptions } from '../contract/types.js';
import { nameOf } from '../remote-locks/key-name.js';
import { LeaseKeeper, type LeaseOptions } from '../remote-locks/lease-keeper.js';
import { defaultTable, LeaseTableEngine } from './lease-table-engine.js';
import { checkPool, type PostgresPool } from './postgres-client.js';
import { keepaliveMs, SessionEngine } from './session-engine.js';

export interface PostgresMutexOptions extends LeaseOptions {
  mode: 'session' | 'leaseTable';
  /** Keys of different namespaces are different locks. Default 'latchkey'. */
  namespace?: string | undefined;
  /** Of mode 'leaseTable'; made by what `leaseTableSchema` says. Default 'latchkey_leases'. */
  table?: string | undefined;
}

export class PostgresMutex<K extends string | number | bigint = string> implements KeyedLock<K> {
  readonly #keeper: LeaseKeeper<K>;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(pool: PostgresPool, options: PostgresMutexOptions) {
    checkPool(pool);
    checkObject('options', options);
    const { mode, namespace = 'latchkey', table = defaultTable, ttlMs = 10_000, maxHoldMs } = options;
    if (mode !== 'session' && mode !== 'leaseTable') {
      throw new TypeError(`mode must be 'session' or 'leaseTable', got ${printable(mode)}`);
    }
    checkString('namespace', namespace);
    checkDuration('ttlMs', ttlMs);
    if (mode === 'session' && ttlMs >= keepaliveMs) {
      throw new RangeError(
        `ttlMs must be less than ${keepaliveMs} in mode 'session', got ${printable(ttlMs)}`,
      );
    }
    const engine =
      mode === 'session' ? new SessionEngine(pool, namespace) : new LeaseTableEngine(pool, namespace, table);
    this.#keeper = new LeaseKeeper<K>(this, engine, nameOf, { ttlMs, maxHoldMs });
  }

  /**
   * Runs `task` while holding `key` and settles as the task does, whatever becomes of the lock meanwhile; `lease.signal`
   * tells the task of a loss.
   *
   * Rejects, and never starts the task, with `signal.reason`, `WaitTimeoutError`, `PoolerError` in mode 'session' behind a
   * pooler, or what the driver rejected with.
   */
  run<T>(key: K, task: (lease: KeyLease<K>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return this.#keeper.run(key, task, options);
  }

  /** Waits for `key`; the lease works with `await using`. Rejects as `run` does. */
  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K>> {
    return this.#keeper.acquire(key, options);
  }

  /** Releases all that this object holds, for a shutdown; resolves when PostgreSQL has been told, or could not be. */
  releaseAll(): Promise<void> {
    return this.#keeper.releaseAll();
  }
}
