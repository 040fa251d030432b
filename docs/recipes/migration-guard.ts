/**
 * "Every replica migrates the database when it starts. With three of them, two crashed: the column existed already."
 *
 * One replica migrates; the others wait, and find that nothing is left to do. The lock ends with its transaction, also after a crash.
 * A row `locked = true` would stay, and the next deploy would wait for ever.
 */
import { lockedTransaction, type PostgresPool } from 'latchkey/postgres';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Resolves with the names of the migrations that this replica has applied. */
export function migrate(pool: PostgresPool, migrations: readonly Migration[]): Promise<string[]> {
  return lockedTransaction(
    pool,
    'migrations',
    async (client) => {
      await client.query('create table if not exists migrations (name text primary key)');
      const { rows } = await client.query('select name from migrations');
      const applied = new Set(rows.map(({ name }) => name as string));
      const missing = migrations.filter(({ name }) => !applied.has(name));
      for (const { name, sql } of missing) {
        await client.query(sql);
        await client.query('insert into migrations values ($1)', [name]);
      }
      return missing.map(({ name }) => name);
    },
    { waitTimeoutMs: 60_000 },
  );
}
