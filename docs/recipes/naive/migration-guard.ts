import type { PostgresPool } from 'latchkey/postgres';
import type { Migration } from '../migration-guard.js';

/** Find the missing migrations, and apply them. It is right with one replica. */
export async function migrate(pool: PostgresPool, migrations: readonly Migration[]): Promise<void> {
  await pool.query('create table if not exists migrations (name text primary key)');
  const { rows } = await pool.query('select name from migrations');
  const applied = new Set(rows.map(({ name }) => name as string));
  for (const { name, sql } of migrations.filter((migration) => !applied.has(migration.name))) {
    await pool.query(sql);
    await pool.query('insert into migrations values ($1)', [name]);
  }
}
