/**
 * "Two transfers between the same accounts, in opposite directions, hung for ever. After the fix, money was gone."
 *
 * `runAll` joins the queues of both accounts in one step, so of two transfers that meet, one is first in both. One statement writes
 * both balances. Use `transfer` if one process writes the accounts, and `transferShared` for several.
 */
import { KeyedMutex } from 'latchkey';
import { type PostgresClient, type PostgresPool, retryTransaction } from 'latchkey/postgres';

export const accounts = 'create table accounts (id text primary key, cents integer not null)';

const locks = new KeyedMutex<string>();

/** Resolves with `false` when there is not enough money. */
export function transfer(pool: PostgresPool, from: string, to: string, cents: number): Promise<boolean> {
  return locks.runAll([from, to], () => move(pool, from, to, cents));
}

/** Also locks both rows in the database, always in the same order, until the transaction ends. */
export function transferShared(
  pool: PostgresPool,
  from: string,
  to: string,
  cents: number,
): Promise<boolean> {
  const task = (client: PostgresClient) => move(client, from, to, cents, 'for update');
  return locks.runAll([from, to], () => retryTransaction(pool, task, { isolation: 'read committed' }));
}

async function move(
  database: Pick<PostgresPool, 'query'>,
  from: string,
  to: string,
  cents: number,
  rowLock = '',
): Promise<boolean> {
  if (!(cents > 0)) throw new RangeError(`cents must be more than 0, got ${cents}`);
  const read = `select id, cents from accounts where id = any ($1) order by id ${rowLock}`;
  const { rows } = await database.query(read, [[from, to]]);
  const balances = new Map(rows.map((row) => [row.id as string, row.cents as number]));
  const balanceOf = (id: string) => {
    const balance = balances.get(id);
    if (balance === undefined) throw new Error(`there is no account ${id}`);
    return balance;
  };
  if (balanceOf(from) < cents) return false;
  balances.set(from, balanceOf(from) - cents);
  balances.set(to, balanceOf(to) + cents);
  const write = `update accounts set cents = changed.cents
    from unnest($1::text[], $2::int[]) as changed (id, cents) where accounts.id = changed.id`;
  await database.query(write, [[...balances.keys()], [...balances.values()]]);
  return true;
}
