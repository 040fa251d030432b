import { type PostgresClient, type PostgresPool, retryTransaction } from 'latchkey/postgres';

/** `skip locked` gives each worker a command of its own, and no worker waits: the queue of most articles. */
export async function drain(
  pool: PostgresPool,
  handle: (body: unknown, client: PostgresClient) => Promise<void>,
): Promise<void> {
  const handleNext = async (client: PostgresClient) => {
    const sql = 'select id, body from commands order by id limit 1 for update skip locked';
    const { rows } = await client.query(sql);
    if (rows.length === 0) return false;
    await handle(rows[0].body, client);
    await client.query('delete from commands where id = $1', [rows[0].id]);
    return true;
  };
  while (await retryTransaction(pool, handleNext, { isolation: 'read committed' }));
}
