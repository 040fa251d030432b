/**
 * Transactions that are run again as a whole when PostgreSQL aborts them.
 *
 * Invariants
 *   PT1  COMMIT is part of the attempt: a serialization failure that comes only there is retried as well.
 *   PT2  A COMMIT that was sent and not answered is never tried again, whatever the caller's hooks say. The caller gets
 *        OutcomeUnknownError. Before COMMIT is sent, the outcome is known: the caller gets the true error.
 *   PT3  A COMMIT that PostgreSQL answers with ROLLBACK, which is no error to the driver, is an error here.
 *   PT4  An error of the ROLLBACK never hides why the transaction was rolled back, and a silent server never delays it.
 *   PT5  An attempt that was given up (timeout, abort) does not commit later.
 *
 * Cancel: an abort rejects at once; the attempt is rolled back behind the caller's back. One that comes while COMMIT is on its
 *   way cannot recall it.
 * Cost: one round trip for BEGIN, one for COMMIT.
 * What it is not: a guard for side effects elsewhere. Lineage: the retry loop of the PostgreSQL manual, section 13.5.
 */
import { answerWithin } from '../calling/with-timeout.js';
import { checkFunction, ownOptions } from '../contract/arguments.js';
import { AttemptTimeoutError, printable } from '../contract/errors.js';
import type { Awaitable } from '../contract/types.js';
import { exponential } from '../retry/backoff.js';
import { type AttemptContext, type RetryOptions, retry } from '../retry/retry.js';
import { throwIfAborted } from '../waiting/abort-listeners.js';
import {
  answersOf,
  checkPool,
  connectionOf,
  onBroken,
  type PostgresClient,
  type PostgresPool,
  type PostgresResult,
} from './postgres-client.js';
import { OutcomeUnknownError, RolledBackError } from './postgres-errors.js';
import { isTransactionConflict, sqlStateOf } from './sql-state.js';

/** A level of isolation of PostgreSQL. */
export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** Options of `retryTransaction`: those of `retry`, and the isolation level. */
export interface TransactionOptions extends RetryOptions {
  /** Default 'serializable': no anomaly is possible at this level, and transactions have to be retried. */
  isolation?: Isolation | undefined;
}

const levels = new Set<unknown>(['read committed', 'repeatable read', 'serializable'] satisfies Isolation[]);
const betweenAttempts = exponential({ initialMs: 5, maxMs: 500, jitter: 'full' });
/** A server that does not answer ROLLBACK must not hold up the caller: the connection is closed, which rolls back too. */
const rollbackTimeoutMs = 5_000;

/**
 * Runs `task` in a transaction, and the whole transaction again when PostgreSQL aborts it in favour of another one (40001, 40P01)
 * or when the connection is lost before COMMIT is sent. The task may run several times, so let it do nothing but talk to `client`.
 *
 * Options are those of `retry`; `attempts` is 10 by default, with a backoff of a few milliseconds. Rejects with what the task
 * or PostgreSQL threw, untouched; with `RolledBackError` when a statement had failed and the task ignored it; with
 * `OutcomeUnknownError`, which is never retried, when COMMIT was sent and not answered.
 *
 * @example
 * ```ts no-run
 * import { retryTransaction } from 'latchkey/postgres';
 * import pg from 'pg';
 *
 * const pool = new pg.Pool();
 * const left = await retryTransaction(pool, async (client) => {
 *   const { rows } = await client.query('select balance from accounts where id = 1');
 *   await client.query('update accounts set balance = $1 where id = 1', [rows[0].balance - 10]);
 *   return rows[0].balance - 10;
 * });
 * console.log(left); // → 90
 * ```
 */
export function retryTransaction<T>(
  pool: PostgresPool,
  task: (client: PostgresClient, context: AttemptContext) => Awaitable<T>,
  options: TransactionOptions = {},
): Promise<T> {
  try {
    checkPool(pool);
    checkFunction('task', task);
    const { isolation = 'serializable', ...retryOptions } = ownOptions(options);
    if (!levels.has(isolation)) {
      throw new RangeError(`isolation must be one of ${[...levels].join(', ')}, got ${printable(isolation)}`);
    }
    const { attempts = 10, backoff = betweenAttempts, shouldRetry } = retryOptions;
    if (shouldRetry !== undefined) checkFunction('shouldRetry', shouldRetry);
    let transaction: Transaction | undefined;
    const attempt = (context: AttemptContext) => {
      transaction = new Transaction(pool, context);
      return transaction.run(`begin isolation level ${isolation}`, (client) => task(client, context));
    };
    const isWorthIt: RetryOptions['shouldRetry'] = (error, context) => {
      if (transaction?.isUnknown || isOutcomeUnknown(error)) return false;
      if (shouldRetry !== undefined) return shouldRetry(error, context);
      return isTransactionConflict(error) || transaction?.isLost === true;
    };
    return retry(attempt, { ...retryOptions, attempts, backoff, shouldRetry: isWorthIt }).catch((error) => {
      const isLate = error instanceof AttemptTimeoutError && transaction?.isUnknown;
      throw isLate ? new OutcomeUnknownError(error) : error;
    });
  } catch (refused) {
    return Promise.reject(refused);
  }
}

/** One transaction on a connection of its own. */
export class Transaction {
  readonly #pool: PostgresPool;
  /** Aborts when no caller waits for the result any more. */
  readonly #context: { readonly signal?: AbortSignal | undefined };
  #broken: Error | undefined;
  /** COMMIT was sent, and PostgreSQL has not answered. */
  isUnknown = false;

  constructor(pool: PostgresPool, context: { readonly signal?: AbortSignal | undefined } = {}) {
    this.#pool = pool;
    this.#context = context;
  }

  /** The connection was lost, and the outcome is known: nothing was written. */
  get isLost(): boolean {
    return this.#broken !== undefined && !this.isUnknown;
  }

  /** `begin`: statements that begin the transaction; the task gets the answer to the last of them. */
  async run<T>(
    begin: string,
    task: (client: PostgresClient, begun: PostgresResult) => Awaitable<T>,
  ): Promise<T> {
    const client = await connectionOf(this.#pool, this.#context.signal);
    // Without a listener, a connection that breaks between two statements would end the process.
    const onError = (error: Error) => {
      this.#broken ??= error;
    };
    onBroken(client, onError);
    let isUsable = false;
    try {
      if (this.#broken !== undefined) throw this.#broken;
      const begun = (await answersOf(client, begin)).at(-1) as PostgresResult;
      const value = await this.#attempt(() => task(client, begun)).catch(async (error) => {
        isUsable = await rollback(client);
        throw error;
      });
      await this.#commit(client, (isAnswered) => {
        isUsable = isAnswered;
      });
      return value;
    } finally {
      // A broken connection may report twice: it keeps its listener, so that the second report does not end the process.
      if (isUsable) client.off('error', onError);
      client.release(!isUsable);
    }
  }

  async #attempt<T>(task: () => Awaitable<T>): Promise<T> {
    const value = await task();
    throwIfAborted(this.#context.signal);
    // COMMIT would be refused without having been sent.
    if (this.#broken !== undefined) throw this.#broken;
    return value;
  }

  async #commit(client: PostgresClient, answered: (isAnswered: boolean) => void): Promise<void> {
    this.isUnknown = true;
    try {
      const { command } = await client.query('commit');
      this.isUnknown = false;
      answered(true);
      if (command === 'ROLLBACK') throw new RolledBackError();
    } catch (error) {
      if (!this.isUnknown) throw error;
      if (!isVerdict(error)) throw new OutcomeUnknownError(error);
      this.isUnknown = false;
      answered(true);
      throw error;
    }
  }
}

/** Whether the connection can be used again. */
function rollback(client: PostgresClient): Promise<boolean> {
  return answerWithin(rollbackTimeoutMs, () => client.query('rollback')).then(
    () => true,
    () => false,
  );
}

/**
 * An error of the server that ends the transaction and keeps the connection. Excluded are 08 and 57, which end the connection, and
 * 40003, which means that the outcome is unknown.
 */
function isVerdict(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && !state.startsWith('08') && !state.startsWith('57') && state !== '40003';
}

function isOutcomeUnknown(error: unknown): boolean {
  return Object(error).code === 'ERR_OUTCOME_UNKNOWN';
}
