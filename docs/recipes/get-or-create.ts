/**
 * "A customer who double-clicked has two accounts." Or, with a unique constraint: "... sees an error 500."
 *
 * The constraint makes the second `create` fail. Then `getOrCreate` looks again. `on conflict do nothing returning` is no help: it
 * returns no row when the row exists, and uses up a number of the sequence.
 */
import { getOrCreate, isUniqueViolation, type PostgresPool } from 'latchkey/postgres';

export const customers =
  'create table customers (id serial primary key, email text not null constraint customers_email_key unique)';

export interface Customer {
  readonly id: number;
  readonly email: string;
}

export function customerOf(
  pool: PostgresPool,
  email: string,
): Promise<{ value: Customer; created: boolean }> {
  const one = async (sql: string) => (await pool.query(sql, [email])).rows[0] as Customer;
  return getOrCreate<Customer>({
    find: () => one('select * from customers where email = $1'),
    create: () => one('insert into customers (email) values ($1) returning *'),
    // By name, because a violation of another constraint is a different error.
    isConflict: (error) => isUniqueViolation(error, 'customers_email_key'),
  });
}
