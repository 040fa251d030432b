/**
 * "Timeout acquiring a connection. The pool is probably full." The error does not say who holds the connections.
 *
 * knex over a latchkey pool. knex still makes, checks and ends the connections with all of its settings. The pool decides when
 * to dial, which caller gets which connection, and which error a caller gets.
 */
import type { EventEmitter } from 'node:events';
import knex, { type Knex } from 'knex';
import { ConnectionPool, type ConnectionPoolOptions, type Lease } from 'latchkey';

type Connection = EventEmitter & { __knex__disposed?: unknown };

/** The part of a knex client that its types leave out. */
interface KnexClient {
  pool: unknown;
  initializePool(): void;
  getPoolSettings(config: Knex.PoolConfig): {
    max: number;
    acquireTimeoutMillis: number;
    create(): Promise<Connection>;
    destroy(connection: Connection): Promise<void>;
    validate(connection: Connection): Promise<boolean>;
  };
}

/** `max`, `validate`, `afterCreate` and the acquire timeout come from `config`; an option of the same meaning in `options` wins. */
export function pooledKnex(config: Knex.Config, options?: ConnectionPoolOptions): Knex {
  // The pool that knex makes for itself stays empty.
  const db = knex({ ...config, pool: { ...config.pool, min: 0 } });
  const client: KnexClient = db.client;
  const { max, acquireTimeoutMillis, create, destroy, validate } = client.getPoolSettings(config.pool ?? {});
  const connector = {
    async connect(_key: void, { lost }: { lost(error?: unknown): void }) {
      const connection = await create();
      return connection.on('error', lost).on('end', lost);
    },
    close: destroy,
    validate,
  };
  // knex asks `validate` at each borrow. It refuses connections that are disposed, too old, or have old credentials.
  const settings = { max, waitTimeoutMs: acquireTimeoutMillis, validateAfterIdleMs: 0, ...options };
  client.initializePool = () => {
    client.pool = asTarnPool(new ConnectionPool<Connection>(connector, settings));
  };
  client.initializePool();
  return db;
}

/** Rejects with knex's own timeout error. Its `cause` is the error of the pool. */
function refused(error: Error & { code?: string }): never {
  if (error.code !== 'ERR_WAIT_TIMEOUT') throw error;
  throw Object.assign(new knex.KnexTimeoutError(error.message), { cause: error });
}

/** The methods that knex calls. */
function asTarnPool(pool: ConnectionPool<Connection>) {
  const leases = new Map<Connection, Lease<Connection>>();
  const lend = (lease: Lease<Connection>) => {
    leases.set(lease.connection, lease);
    return lease.connection;
  };
  return {
    acquire: () => ({ promise: pool.acquire().then(lend, refused) }),
    release(connection: Connection): boolean {
      const lease = leases.get(connection);
      // knex gave up a query, and the server may still run it on this connection.
      if (connection.__knex__disposed) lease?.destroy();
      else lease?.release();
      return leases.delete(connection);
    },
    destroy: () => pool.close(),
    numUsed: () => pool.stats().leased,
    numFree: () => pool.stats().idle,
    numPendingAcquires: () => pool.stats().waiting,
    numPendingCreates: () => pool.stats().connecting,
  };
}
