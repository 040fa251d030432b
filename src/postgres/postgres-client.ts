/** What the package needs from a PostgreSQL driver: `Pool` and `PoolClient` of pg have it. */

import { checkFunction, checkObject } from '../contract/arguments.js';
import { afterPoll } from '../runtime/clock.js';
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

const guarded = new WeakSet<PostgresPool>();
const brokenAtBirth = new WeakMap<PostgresClient, Error>();

/**
 * The packet that completes a new connection may also hold its end, when the server shuts down. pg reports that before the
 * promise of the connection has reached its caller, and an error without a listener ends the process. So the pool is asked to
 * announce new connections, and each has a listener until the promise has been followed.
 */
function guardNewConnections(pool: PostgresPool): void {
  const { on } = pool as { on?: unknown };
  if (typeof on !== 'function' || guarded.has(pool)) return;
  guarded.add(pool);
  on.call(pool, 'connect', (client: PostgresClient) => {
    const onError = (error: Error) => brokenAtBirth.set(client, error);
    client.on('error', onError);
    afterPoll(() => client.off('error', onError));
  });
}

/** Calls `listener` when the connection breaks; at once if it has broken already. */
export function onBroken(client: PostgresClient, listener: (error: Error) => void): void {
  client.on('error', listener);
  const error = brokenAtBirth.get(client);
  if (error !== undefined) listener(error);
}

/**
 * Takes a connection from the pool; rejects with the signal's reason when that aborts first. A connection that comes too late
 * goes straight back to the pool.
 */
export function connectionOf(pool: PostgresPool, signal?: AbortSignal): Promise<PostgresClient> {
  guardNewConnections(pool);
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
