/**
 * "One doctor has to stay on call. Ann and Bob both asked whether the other one was, and both went home."
 *
 * Each transaction changes its own row, so neither a version column nor REPEATABLE READ notices a conflict. The conflict is
 * between a read and a write. SERIALIZABLE notices it, and one of the transactions runs again.
 */
import { type PostgresPool, retryTransaction } from 'latchkey/postgres';

export const doctors = 'create table doctors (name text primary key, on_call boolean not null)';

/** Resolves with `true` when the doctor may go. */
export function goHome(pool: PostgresPool, name: string): Promise<boolean> {
  return retryTransaction(pool, async (client) => {
    const { rows } = await client.query('select count(*)::int as n from doctors where on_call');
    if (rows[0].n < 2) return false;
    await client.query('update doctors set on_call = false where name = $1', [name]);
    return true;
  });
}
