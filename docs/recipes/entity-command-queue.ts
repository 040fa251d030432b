/**
 * "Two commands for one account were processed at once by two replicas, in the wrong order."
 *
 * The commands of one entity are processed in order, by one replica at a time; other entities go on in parallel. `for update skip
 * locked` alone gives each replica a command of its own, but then the second command overtakes the first.
 */
import { lockedTransaction, type PostgresClient, type PostgresPool } from 'latchkey/postgres';

export const commandTable =
  'create table commands (id bigserial primary key, entity text not null, body jsonb not null)';

/** Handles everything that is queued for the entity; resolves with the number of commands. */
export async function drain(
  pool: PostgresPool,
  entity: string,
  handle: (body: unknown, client: PostgresClient) => Promise<void>,
): Promise<number> {
  for (let handled = 0; ; handled++) {
    // One command per transaction: a finished command stays finished when the next one fails.
    const isEmpty = await lockedTransaction(pool, `commands:${entity}`, async (client) => {
      const sql = 'select id, body from commands where entity = $1 order by id limit 1';
      const { rows } = await client.query(sql, [entity]);
      if (rows.length === 0) return true;
      await handle(rows[0].body, client);
      await client.query('delete from commands where id = $1', [rows[0].id]);
      return false;
    });
    if (isEmpty) return handled;
  }
}
