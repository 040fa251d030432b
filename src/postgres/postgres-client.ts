/** What the package needs from a PostgreSQL driver: `Pool` and `PoolClient` of pg have it. */
import { checkFunction, checkObject } from '../contract/arguments.js';
import { abortReason, onAbort } from '../waiting/abort-listeners.js';

/** The answer to one statement. */
export interface PostgresResult {
  // biome-ignore lint/suspicious/noExplicitAny: the statement decides what rows are, and the driver's type is `any` as well.
  readonly rows: any[];
  /** How many rows the statement returned or changed. */
  readonly rowCount: number | null;
  /** The command that was carried out: COMMIT may be answered with `ROLLBACK`. */
  readonly command: string;
}

/** One connection, taken from a pool. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
  /** Gives the connection back; with `true`, it is closed and not used again. */
  release(destroy?: boolean): void;
}

/** A pool of connections. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  query(text: string, values?: unknown[]): Promise<PostgresResult>;
}

export function checkPool(pool: PostgresPool): void {
  checkObject('pool', pool);
  checkFunction('pool.connect', pool.connect);
  checkFunction('pool.query', pool.query);
}

/** How many connections a pool may have: `max` of pg, whose default is 10. */
export function sizeOf(pool: PostgresPool): number {
  const { options } = pool as { options?: { max?: unknown } };
  return typeof options?.max === 'number' && options.max >= 1 ? Math.floor(options.max) : 10;
}

/**
 * Takes a connection from the pool; rejects with the signal's reason when that aborts first. A connection that comes too late
 * goes straight back to the pool.
 */
export function connectionOf(pool: PostgresPool, signal?: AbortSignal): Promise<PostgresClient> {
  if (signal === undefined) return pool.connect();
  if (signal.aborted) return Promise.reject(abortReason(signal));
  return new Promise((resolve, reject) => {
    let isLate = false;
    const subscription = onAbort(signal, {
      onAbort: (reason) => {
        isLate = true;
        reject(reason);
      },
    });
    pool.connect().then(
      (client) => {
        subscription.leave();
        if (isLate) client.release();
        else resolve(client);
      },
      (error) => {
        subscription.leave();
        reject(error);
      },
    );
  });
}

/** The answers to a text of several statements. */
export async function answersOf(client: PostgresClient, text: string): Promise<PostgresResult[]> {
  return [await client.query(text)].flat();
}

/** A query that pg gives up on sooner than the server would (`query_timeout`) must not last as long. */
export function longestQueryMs(client: PostgresClient): number {
  const { connectionParameters } = client as { connectionParameters?: { query_timeout?: unknown } };
  const timeoutMs = Number(connectionParameters?.query_timeout);
  return timeoutMs > 0 ? timeoutMs / 2 : Infinity;
}
