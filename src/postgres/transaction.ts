/**
 * Transactions that are run again, whole, when PostgreSQL has sacrificed them, and transactions that share their fate
 * with a lock.
 *
 * COMMIT is a part of what is tried: a serialization failure may come only there. A COMMIT that is answered ROLLBACK,
 * which is no error to the driver, is one here. When the connection breaks during COMMIT, nobody knows whether it was
 * committed: that is never tried again. An error of the ROLLBACK never hides why it was rolled back.
 */
import { checkFunction, checkObject, checkString } from '../contract/arguments.js';
import { printable, WaitTimeoutError } from '../contract/errors.js';
import type { Awaitable } from '../contract/types.js';
import { nameOf } from '../remote-locks/key-name.js';
import { exponential } from '../retry/backoff.js';
import { type AttemptContext, type RetryOptions, retry } from '../retry/retry.js';
import { now } from '../runtime/clock.js';
import { waitSettings } from '../waiting/wait-settings.js';
import { advisoryKey } from './advisory-key.js';
import { checkPool, type PostgresClient, type PostgresPool } from './postgres-client.js';
import { OutcomeUnknownError, RolledBackError } from './postgres-errors.js';
import { isLockTimeout, isTransactionConflict, sqlStateOf } from './sql-state.js';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

export interface TransactionOptions extends RetryOptions {
  /** Default 'serializable': the level that needs to be retried, and at which no anomaly is left. */
  isolation?: Isolation | undefined;
}

const levels = new Set<unknown>(['read committed', 'repeatable read', 'serializable'] satisfies Isolation[]);
const soonAgain = exponential({ initialMs: 5, maxMs: 500, jitter: 'full' });

/**
 * Runs `task` in a transaction, and the whole transaction again when it fails with 40001 or 40P01. The task is run several
 * times then: let it do nothing but talk to `client`.
 *
 * Options are those of `retry`; `attempts` is 10 by default, the backoff some milliseconds. Rejects with what the task or
 * PostgreSQL threw, untouched; with `RolledBackError` when a statement had failed and the task went on all the same; with
 * `OutcomeUnknownError` when the connection broke during COMMIT.
 */
export function retryTransaction<T>(
  pool: PostgresPool,
  task: (client: PostgresClient, context: AttemptContext) => Awaitable<T>,
  options: TransactionOptions = {},
): Promise<T> {
  try {
    checkPool(pool);
    checkFunction('task', task);
    checkObject('options', options);
    const { isolation = 'serializable', ...retryOptions } = options;
    if (!levels.has(isolation)) {
      throw new RangeError(`isolation must be one of ${[...levels].join(', ')}, got ${printable(isolation)}`);
    }
    const begin = `begin isolation level ${isolation}`;
    return retry((context) => transaction(pool, begin, (client) => task(client, context)), {
      attempts: 10,
      backoff: soonAgain,
      shouldRetry: isTransactionConflict,
      ...retryOptions,
    });
  } catch (refused) {
    return Promise.reject(refused);
  }
}

export interface LockedTransactionOptions {
  /** How long to wait for the lock, in milliseconds. Default: for ever. */
  waitTimeoutMs?: number | undefined;
  /** Keys of different namespaces are different locks. Default 'latchkey'. */
  namespace?: string | undefined;
}

/**
 * Runs `task` in a transaction at READ COMMITTED that holds `key`: nobody else who uses this function with this key runs
 * at the same time, in any process. The lock lasts exactly as long as the transaction. If the connection is lost, so are
 * the writes: no fencing is needed, as long as all that the lock protects is written through `client`.
 *
 * Rejects with `WaitTimeoutError`, or with what the task or PostgreSQL threw, untouched.
 */
export async function lockedTransaction<T>(
  pool: PostgresPool,
  key: string,
  task: (client: PostgresClient) => Awaitable<T>,
  options: LockedTransactionOptions = {},
): Promise<T> {
  checkPool(pool);
  const name = nameOf(key);
  checkFunction('task', task);
  const { waitTimeoutMs } = waitSettings(options);
  const { namespace = 'latchkey' } = options;
  checkString('namespace', namespace);
  refuseIsolation(options);
  const lock = await advisoryKey(namespace, name);
  // A higher level would take its snapshot before the wait for the lock, and work on what was true then.
  return transaction(pool, 'begin isolation level read committed', async (client) => {
    await waitForLock(client, key, lock, waitTimeoutMs);
    return task(client);
  });
}

function refuseIsolation(options: object): void {
  const { isolation = 'read committed' } = options as { isolation?: unknown };
  if (isolation === 'read committed') return;
  throw new RangeError(
    `isolation must be 'read committed', got ${printable(isolation)}: any other has seen the data before the lock is held`,
  );
}

async function waitForLock(
  client: PostgresClient,
  key: string,
  lock: string,
  waitTimeoutMs: number,
): Promise<void> {
  const startedMs = now();
  const timeoutMs = waitTimeoutMs === Infinity ? 0 : Math.max(1, Math.ceil(waitTimeoutMs));
  try {
    await client.query("select set_config('lock_timeout', $1, true)", [String(timeoutMs)]);
    // A statement of its own: what else it selected would be read before the lock is held.
    await client.query('select pg_advisory_xact_lock($1::bigint)', [lock]);
    await client.query('set local lock_timeout to default');
  } catch (error) {
    if (!isLockTimeout(error)) throw error;
    const details = { key, waitedMs: now() - startedMs, held: 1, waiting: 0, limit: 1 };
    throw new WaitTimeoutError(details, { cause: error });
  }
}

async function transaction<T>(
  pool: PostgresPool,
  begin: string,
  task: (client: PostgresClient) => Awaitable<T>,
): Promise<T> {
  const client = await pool.connect();
  // Without a listener, a connection that breaks between two statements would end the process.
  const ignore = () => {};
  client.on('error', ignore);
  let isUsable = false;
  try {
    await client.query(begin);
    const value = await attempt();
    await commit();
    return value;
  } finally {
    client.off('error', ignore);
    client.release(!isUsable);
  }

  async function attempt(): Promise<T> {
    try {
      return await task(client);
    } catch (error) {
      const rollback = client.query('rollback');
      isUsable = await rollback.then(
        () => true,
        () => false,
      );
      throw error;
    }
  }

  async function commit(): Promise<void> {
    try {
      const { command } = await client.query('commit');
      isUsable = true;
      if (command === 'ROLLBACK') throw new RolledBackError();
    } catch (error) {
      if (isUsable) throw error;
      isUsable = isVerdict(error);
      throw isUsable ? error : new OutcomeUnknownError(error);
    }
  }
}

/** An error of the server that ends the transaction and leaves the connection; 08 and 57 end the connection. */
function isVerdict(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && !state.startsWith('08') && !state.startsWith('57');
}
