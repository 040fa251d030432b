/**
 * "The database was restarted, and an idle connection crashed our process."
 *
 * PostgreSQL with `pg`: a broken connection leaves the pool at once, and a failed query does not cost a connection.
 */
import { Socket } from 'node:net';
import { ConnectionPool, type ConnectionPoolOptions, gatherSettled } from 'latchkey';
import pg from 'pg';

/** A pool of sessions on one database; its key is left out. */
export function postgresPool(
  config: pg.ClientConfig,
  options?: ConnectionPoolOptions,
): ConnectionPool<pg.Client> {
  return new ConnectionPool<pg.Client>(
    {
      async connect(_key, { signal, lost }) {
        // When the dial takes too long, the signal destroys the socket. A server that hangs would keep it open.
        const client = new pg.Client({ keepAlive: true, ...config, stream: () => new Socket({ signal }) });
        // Without an 'error' listener, a restart of the server crashes this process.
        client.on('error', lost).on('end', lost);
        await client.connect();
        return client;
      },
      close: (client) => client.end(),
      async validate(client) {
        await client.query('SELECT');
        return true;
      },
      // The server refused one statement and no transaction is open, so the session is still clean.
      isReusable: (client, error) =>
        error instanceof pg.DatabaseError &&
        error.severity === 'ERROR' &&
        client.getTransactionStatus() === 'I',
    },
    options,
  );
}

/** Example: one transaction per account, over at most ten connections; reports each account that failed. */
export async function creditAll(config: pg.ClientConfig, accounts: Iterable<number>, amount: number) {
  await using pool = postgresPool(config, { max: 10, waitTimeoutMs: 5_000 });
  return await gatherSettled(
    accounts,
    (id, { signal }) =>
      pool.use(
        async (client) => {
          await client.query('BEGIN');
          const update = 'UPDATE accounts SET balance = balance + $2 WHERE id = $1 RETURNING balance';
          const { rows } = await client.query<{ balance: number }>(update, [id, amount]);
          await client.query('COMMIT');
          return rows[0]?.balance;
        },
        // If a statement throws, the pool closes the connection, and that rolls the transaction back.
        { signal },
      ),
    { concurrency: 50 },
  );
}
