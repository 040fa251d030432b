/**
 * "ConnectionAcquireTimeoutError: Operation timeout." The error does not say who held the connections.
 *
 * sequelize over a latchkey pool. Its connection manager still makes, checks and ends the connections. The pool decides when
 * to dial, which caller gets which connection, and which error a caller gets.
 */
import type { EventEmitter } from 'node:events';
import { ConnectionPool, type ConnectionPoolOptions, type Lease } from 'latchkey';
import { ConnectionAcquireTimeoutError, type Sequelize } from 'sequelize';

type Connection = EventEmitter;

/** The part of sequelize's connection manager that its types leave out. */
interface ConnectionManager {
  pool: unknown;
  config: { replication?: unknown; pool: { max: number; acquire: number; idle: number } };
  _connect(config: object): Promise<Connection>;
  _disconnect(connection: Connection): Promise<void>;
  _validate(connection: Connection): boolean;
}

/** Call it before the first query. `max`, `acquire` and `idle` come from sequelize's `pool` option, unless `options` sets them. */
export function usePool(sequelize: Sequelize, options?: ConnectionPoolOptions): Sequelize {
  const manager = sequelize.connectionManager as unknown as ConnectionManager;
  const { config } = manager;
  if (config.replication) throw new TypeError('replication needs a pool for each role');
  const { max, acquire: waitTimeoutMs, idle: idleTimeoutMs } = config.pool;
  const pool = new ConnectionPool<Connection>(
    {
      async connect(_key, { lost }) {
        const connection = await manager._connect(config);
        return connection.on('error', lost).on('end', lost);
      },
      close: (connection) => manager._disconnect(connection),
      isAlive: (connection) => manager._validate(connection),
    },
    { max, waitTimeoutMs, idleTimeoutMs, ...options },
  );
  manager.pool = asSequelizePool(pool);
  return sequelize;
}

/** The methods that sequelize calls, and the counts of its own pool. */
function asSequelizePool(pool: ConnectionPool<Connection>) {
  const leases = new Map<Connection, Lease<Connection>>();
  const end = (connection: Connection, how: 'release' | 'destroy') => {
    leases.get(connection)?.[how]();
    leases.delete(connection);
  };
  return {
    async acquire(): Promise<Connection> {
      const lease = await pool.acquire().catch(refused);
      leases.set(lease.connection, lease);
      return lease.connection;
    },
    release: (connection: Connection) => end(connection, 'release'),
    destroy: (connection: Connection) => end(connection, 'destroy'),
    drain: () => pool.close(),
    destroyAllNow: () => pool.close(),
    get size() {
      return pool.stats().total;
    },
    get available() {
      return pool.stats().idle;
    },
    get using() {
      return pool.stats().leased;
    },
    get waiting() {
      return pool.stats().waiting;
    },
  };
}

/** Rejects with sequelize's own errors. The `parent` of a timeout holds the error of the pool. */
function refused(error: Error & { code?: string }): never {
  if (error.code === 'ERR_WAIT_TIMEOUT') throw new ConnectionAcquireTimeoutError(error);
  throw error.code === 'ERR_CONNECT' ? error.cause : error;
}
