/**
 * "The database was restarted, and our process crashed through a connection that nobody used."
 *
 * PostgreSQL with `pg`: a connection that breaks leaves the pool at once, a query that fails does not cost one.
 */
import { Socket } from 'node:net';
import { ConnectionPool, type ConnectionPoolOptions, gatherSettled } from 'latchkey';
import pg from 'pg';

export function postgresPool(
  config: pg.ClientConfig,
  options?: ConnectionPoolOptions,
): ConnectionPool<pg.Client> {
  return new ConnectionPool<pg.Client>(
    {
      async connect(_key, { signal, lost }) {
        // The signal ends the socket of a dial that takes too long; a server that hangs never would.
        const client = new pg.Client({ keepAlive: true, ...config, stream: () => new Socket({ signal }) });
        // Without a listener, the server's restart would crash this process through an idle connection.
        client.on('error', lost).on('end', lost);
        await client.connect();
        return client;
      },
      close: (client) => client.end(),
      async validate(client) {
        await client.query('SELECT');
        return true;
      },
      // The server refused one statement, and no transaction is open: the session is as good as new.
      isReusable: (client, error) =>
        error instanceof pg.DatabaseError &&
        error.severity === 'ERROR' &&
        client.getTransactionStatus() === 'I',
    },
    options,
  );
}

/** Example: a transaction per account, however many, over ten connections at the most. */
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
        // What throws in between closes the connection, and that rolls the transaction back.
        { signal },
      ),
    { concurrency: 50 },
  );
}
