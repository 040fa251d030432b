/**
 * lockedTransaction: a transaction that holds an advisory lock, so that lock and writes end together.
 *
 * Invariants
 *   LT1  Of all calls with the same namespace and key, in all processes, one task runs at a time.
 *   LT2  The lock is released by the COMMIT or ROLLBACK that ends the writes, also when the connection is lost.
 *   LT3  The task sees everything that earlier holders committed: the lock is taken at READ COMMITTED, in a statement before
 *        those of the task.
 *   LT4  In a process, the callers of one key wait without a connection: one of them asks the database.
 *   LT5  `waitTimeoutMs` and `signal` end every part of the wait: for the callers of this process, for a connection of the
 *        pool, and for the lock.
 *   LT6  A timeout of the application's own (`lock_timeout`, `statement_timeout`) does not end the wait, and is in force
 *        in the task.
 *
 * Hand-over: first come, first served within a process. Between processes in PostgreSQL's order, except that a waiter
 *   goes to the end of that queue every two seconds.
 * Cancel: rejects at once; a lock that is granted later is released by the rollback.
 * Cost: when the lock is free, one round trip for BEGIN and lock, one for COMMIT.
 * What it is not: a guard for writes that do not go through `client`.
 */
import { checkFunction } from '../contract/arguments.js';
import { printable, type WaitDetails } from '../contract/errors.js';
import type { Awaitable, WaitOptions } from '../contract/types.js';
import { KeyedMutex } from '../locks/keyed-mutex.js';
import { checkName, nameOf } from '../remote-locks/key-name.js';
import { throwIfAborted } from '../waiting/abort-listeners.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { advisoryKey, gotIt, longestSliceMs, tryLock, waitForLock } from './advisory-lock.js';
import {
  answersOf,
  checkPool,
  longestQueryMs,
  type PostgresClient,
  type PostgresPool,
  type PostgresResult,
} from './postgres-client.js';
import { Transaction } from './transaction.js';

/** Options of `lockedTransaction`: how long to wait for the lock, and which lock. */
export interface LockedTransactionOptions extends WaitOptions {
  /** Keys of different namespaces are different locks. Default 'latchkey'. */
  namespace?: string | undefined;
}

const begin = 'begin isolation level read committed';
const report = `select ${gotIt} as got`;
const callersOfPools = new WeakMap<PostgresPool, KeyedMutex<string>>();

/**
 * Runs `task` in a transaction at READ COMMITTED that holds `key`: no other call with this key, in any process, runs its task
 * at the same time. The lock lasts exactly as long as the transaction. When the connection is lost, the writes are rolled back
 * with the lock: no fencing is needed, as long as everything that the lock protects is written through `client`.
 *
 * Rejects with `WaitTimeoutError` or `signal.reason`, and then never starts the task; or with what the task or PostgreSQL
 * threw, untouched; with `OutcomeUnknownError` when COMMIT was sent and not answered.
 *
 * @example
 * ```ts no-run
 * import { lockedTransaction } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const pool = new pg.Pool();
 * const sold = await lockedTransaction(pool, 'show:7', async (client) => {
 *   const { rows } = await client.query('select sold, seats from shows where id = 7');
 *   if (rows[0].sold >= rows[0].seats) return false;
 *   await client.query('update shows set sold = sold + 1 where id = 7');
 *   return true;
 * });
 * console.log(sold); // → true
 * ```
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
  const settings = waitSettings(options);
  const { namespace = 'latchkey' } = options;
  checkName('namespace', namespace);
  refuseIsolation(options);
  const lock = await advisoryKey(namespace, name);
  throwIfAborted(settings.signal);
  const wait = new LockWait(key);
  const granted = wait.queue.wait(settings);
  const transaction = () =>
    new Transaction(pool, { signal: wait.signal }).run(
      `${begin}; ${tryLock(lock, 'xact')}; ${report}`,
      async (client, begun) => {
        wait.phase = 'lock';
        for (let answer = begun; answer.rows[0].got !== true; ) {
          wait.signal.throwIfAborted();
          answer = await waitForSlice(client, lock);
        }
        wait.end();
        return task(client);
      },
    );
  const result = callersOf(pool).run(
    lock,
    () => {
      wait.phase = 'connection';
      return transaction();
    },
    { signal: wait.signal },
  );
  result.catch((error) => wait.queue.refuseAll(() => error));
  await granted;
  return result;
}

/** Each slice is a transaction of its own: `create index concurrently` waits for the end of every older transaction. */
async function waitForSlice(client: PostgresClient, lock: string): Promise<PostgresResult> {
  const sliceMs = Math.min(longestSliceMs, longestQueryMs(client));
  const text = `rollback; ${begin}; ${waitForLock(lock, 'xact', sliceMs)}; ${report}`;
  const answers = await answersOf(client, text);
  return answers.at(-1) as PostgresResult;
}

/** The callers of this process, so that one per lock takes a connection of the pool. */
function callersOf(pool: PostgresPool): KeyedMutex<string> {
  const callers = callersOfPools.get(pool) ?? new KeyedMutex<string>();
  callersOfPools.set(pool, callers);
  return callers;
}

function refuseIsolation(options: object): void {
  const { isolation = 'read committed' } = options as { isolation?: unknown };
  if (isolation === 'read committed') return;
  throw new RangeError(
    `isolation must be 'read committed', got ${printable(isolation)}: any other level has read its data before the lock is held`,
  );
}

/** One caller's wait, in its three parts: for the other callers of this process, for a connection, and for the lock. */
class LockWait implements QueueOwner {
  readonly queue = new WaitQueue<void>(this);
  phase: 'queue' | 'connection' | 'lock' = 'queue';
  readonly #key: string;
  readonly #controller = new AbortController();

  constructor(key: string) {
    this.#key = key;
  }

  /** Aborts when the caller has given up. Never once the wait has ended. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The lock is held. @throws the reason why the caller has left. */
  end(): void {
    this.signal.throwIfAborted();
    this.queue.grant();
  }

  describe(waitedMs: number): WaitDetails {
    const hint = this.phase === 'connection' ? 'no connection of the pool was free' : undefined;
    return { key: this.#key, waitedMs, held: 1, waiting: 0, limit: 1, hint };
  }

  onLeave(): void {
    this.#controller.abort();
  }
}
