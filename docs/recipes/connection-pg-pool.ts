/**
 * "One failed statement, and pg-pool closes the connection. In a burst of errors we log in again for each of them."
 *
 * A `pg.Pool` whose clients come from a latchkey pool. `connect`, `query`, `end` and the counts work as in pg-pool, so every
 * library that accepts a `pg.Pool` accepts this one, for example Kysely, Drizzle and `latchkey/postgres`.
 */
import type { ConnectionPool, Lease } from 'latchkey';
import pg from 'pg';

type ConnectCallback = Parameters<pg.Pool['connect']>[0];

/** A `pg.Pool` over `pool`. It emits no events: use the `onEvent` option of `pool`. */
export class LeasedPgPool extends pg.Pool {
  readonly #pool: ConnectionPool<pg.Client>;

  /** `pool` comes from `postgresPool`, with its options. */
  constructor(pool: ConnectionPool<pg.Client>) {
    super();
    this.#pool = pool;
    const count = (name: 'total' | 'idle' | 'waiting') => ({ get: () => pool.stats()[name] });
    const counts = { totalCount: count('total'), idleCount: count('idle'), waitingCount: count('waiting') };
    Object.defineProperties(this, counts);
  }

  /** Resolves with a client, or rejects as `ConnectionPool.acquire` does. The inherited `query` passes a callback. */
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const leased = this.#pool.acquire().then(handOut);
    if (callback === undefined) return leased;
    leased.then(
      (client) => callback(undefined, client, client.release),
      (error) => callback(error, undefined, () => {}),
    );
  }

  /** Waits up to 10 s for leased clients, then closes them by force. */
  override end(callback?: () => void): Promise<void> {
    const closed = this.#pool.close();
    if (callback !== undefined) void closed.then(callback);
    return closed;
  }
}

/** Adds `release` to the client. It takes `true` or an error, as in pg-pool. */
function handOut(lease: Lease<pg.Client>): pg.PoolClient {
  const client = lease.connection;
  const release = (problem?: Error | boolean): void => {
    // A client in an open transaction is closed. pg-pool would hand it to the next caller.
    const isClean = problem !== true && (problem || client.getTransactionStatus() === 'I');
    if (isClean) lease.release(problem || undefined);
    else lease.destroy();
  };
  return Object.assign(client, { release });
}
