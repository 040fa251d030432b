/** Recipes for data that two replicas change at once, and the result of the naive code at the worst moment. */
import type { PostgresPool } from 'latchkey/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { customerOf, customers } from '../../docs/recipes/get-or-create.js';
import { sellLocked, sellSerializable, sellVersioned } from '../../docs/recipes/lost-update.js';
import { accounts, transfer, transferShared } from '../../docs/recipes/money-transfer.js';
import { customerLoader } from '../../docs/recipes/n-plus-one.js';
import { customerOf as naiveCustomerOf } from '../../docs/recipes/naive/get-or-create.js';
import { sell as naiveSell } from '../../docs/recipes/naive/lost-update.js';
import { transfer as naiveTransfer, transferNested } from '../../docs/recipes/naive/money-transfer.js';
import { customersOf } from '../../docs/recipes/naive/n-plus-one.js';
import { goHome as naiveGoHome } from '../../docs/recipes/naive/write-skew.js';
import { doctors, goHome } from '../../docs/recipes/write-skew.js';
import { pause } from '../remote-locks/support/real-time.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type Replicas, replicasOf } from '../support/engines/replicas.js';

let server: PostgresServer;
let replicas: Replicas;
let pool: PostgresPool;

beforeAll(async () => {
  server = await startPostgres();
  replicas = replicasOf(server);
  pool = replicas.pools[0];
});
afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => pool.query('drop table if exists customers, shows, doctors, accounts'));

const fulfilled = (results: PromiseSettledResult<unknown>[]) =>
  results.filter(({ status }) => status === 'fulfilled').length;

describe('get-or-create', () => {
  const email = 'ann@example.com';

  test('a double click makes one customer, and both clicks get it as the answer', async () => {
    await pool.query(customers);
    const got = await replicas.together((replica) => customerOf(replica, email));
    expect(got[0]!.value).toEqual(got[1]!.value);
    expect(got.map(({ created }) => created).sort()).toEqual([false, true]);
  });

  test('the naive way makes two, or with the constraint an error', async () => {
    await pool.query('create table customers (id serial primary key, email text not null)');
    await replicas.together((replica) => naiveCustomerOf(replica, email));
    expect((await pool.query('select from customers')).rowCount).toBe(2);
    await pool.query(`drop table customers; ${customers}`);
    await expect(replicas.together((replica) => naiveCustomerOf(replica, email))).rejects.toMatchObject({
      code: '23505',
    });
  });

  test('an existing customer uses no number of the sequence; with `on conflict do nothing` it does', async () => {
    await pool.query(customers);
    await customerOf(pool, email);
    for (let n = 0; n < 5; n++) await customerOf(pool, email);
    expect((await customerOf(pool, 'bob@example.com')).value.id).toBe(2);
    const insert = 'insert into customers (email) values ($1) on conflict do nothing returning *';
    for (let n = 0; n < 5; n++) expect((await pool.query(insert, [email])).rows).toEqual([]);
    expect((await customerOf(pool, 'cid@example.com')).value.id).toBe(8);
  });
});

describe('lost-update', () => {
  const sold = async () => (await pool.query('select sold from shows')).rows[0].sold;
  beforeEach(async () => {
    await pool.query('create table shows (id int primary key, sold int, seats int, version int default 0)');
    await pool.query('insert into shows values (1, 0, 10)');
  });

  test('the naive way sells two tickets, and counts one', async () => {
    await replicas.together((replica) => naiveSell(replica, 1));
    expect(await sold()).toBe(1);
  });

  test.each(Object.entries({ sellLocked, sellVersioned, sellSerializable }))(
    '%s counts both of two buyers that have read at once',
    async (_name, sell) => {
      await replicas.together((replica) => sell(replica, 1));
      expect(await sold()).toBe(2);
    },
  );

  test('sellLocked sells ten seats to the first ten of twenty buyers', async () => {
    const buyers = Array.from({ length: 20 }, (_, n) => sellLocked(replicas.pools[n % 2]!, 1));
    expect(fulfilled(await Promise.allSettled(buyers))).toBe(10);
    expect(await sold()).toBe(10);
  });

  test.each(Object.entries({ sellVersioned, sellSerializable }))(
    '%s never sells more seats than there are, to any number of buyers',
    async (_name, sell) => {
      const buyers = Array.from({ length: 20 }, (_, n) => sell(replicas.pools[n % 2]!, 1));
      const tickets = fulfilled(await Promise.allSettled(buyers));
      // A buyer may give up before its turn.
      expect(tickets).toBeGreaterThan(0);
      expect(tickets).toBeLessThanOrEqual(10);
      expect(await sold()).toBe(tickets);
    },
  );
});

describe('write-skew', () => {
  beforeEach(() => pool.query(`${doctors}; insert into doctors values ('ann', true), ('bob', true)`));
  const names = ['ann', 'bob'] as const;

  test('one of two doctors stays on call', async () => {
    const gone = await replicas.together((replica, n) => goHome(replica, names[n]!));
    expect(gone.sort()).toEqual([false, true]);
  });

  test('the naive way lets both go, at REPEATABLE READ', async () => {
    expect(await replicas.together((replica, n) => naiveGoHome(replica, names[n]!))).toEqual([true, true]);
  });
});

describe('n-plus-one', () => {
  beforeEach(() =>
    pool.query(
      "create table customers (id int, name text); insert into customers values (1, 'ann'), (2, 'bob')",
    ),
  );
  const orders = Array.from({ length: 100 }, (_, n) => ({ customerId: (n % 3) + 1 }));
  function counting() {
    const counter: PostgresPool & { queries: number } = {
      queries: 0,
      connect: () => pool.connect(),
      query(text, values) {
        counter.queries++;
        return pool.query(text, values);
      },
    };
    return counter;
  }

  test('a hundred orders ask once for their customers, and each gets its own', async () => {
    const counter = counting();
    const loader = customerLoader(counter);
    const found = await Promise.all(orders.map(({ customerId }) => loader.load(customerId)));
    expect(found.slice(0, 3).map((customer) => customer?.name)).toEqual(['ann', 'bob', undefined]);
    expect(counter.queries).toBe(1);
  });

  test('the naive way asks a hundred times for the same', async () => {
    const counter = counting();
    const found = await customersOf(counter, orders);
    expect(found.slice(0, 3).map((customer) => customer?.name)).toEqual(['ann', 'bob', undefined]);
    expect(counter.queries).toBe(100);
  });
});

describe('money-transfer', () => {
  beforeEach(async () => {
    await pool.query(accounts);
    await pool.query("insert into accounts values ('ann', 100), ('bob', 100), ('cid', 100)");
  });
  const balances = async () =>
    (await pool.query('select cents from accounts order by id')).rows.map(({ cents }) => cents as number);
  const total = async () => (await balances()).reduce((a, b) => a + b);
  const ways = [
    ['ann', 'bob'],
    ['bob', 'ann'],
    ['bob', 'cid'],
    ['cid', 'ann'],
  ] as const;

  test('in one process, in all directions at once: nothing hangs, no money is lost, no account is overdrawn', async () => {
    await Promise.all(
      ways.flatMap(([from, to]) => [60, 60, 7].map((cents) => transfer(pool, from, to, cents))),
    );
    expect(await total()).toBe(300);
    expect(Math.min(...(await balances()))).toBeGreaterThanOrEqual(0);
  });

  test('an account without enough money keeps it; a transfer to itself is fine; a missing account is an error', async () => {
    expect(await transfer(pool, 'ann', 'bob', 101)).toBe(false);
    expect(await transfer(pool, 'ann', 'ann', 100)).toBe(true);
    await expect(transfer(pool, 'ann', 'eve', 1)).rejects.toThrow('there is no account eve');
    await expect(transfer(pool, 'ann', 'bob', -1)).rejects.toThrow('cents');
    expect(await balances()).toEqual([100, 100, 100]);
  });

  /** The recipe as another process has it: with locks of its own. */
  function inAnotherProcess() {
    vi.resetModules();
    return import('../../docs/recipes/money-transfer.js');
  }

  test('of two processes that have read at once, `transfer` loses the write of one', async () => {
    const other = await inAnotherProcess();
    await replicas.together((replica, n) =>
      n === 0 ? transfer(replica, 'ann', 'bob', 60) : other.transfer(replica, 'cid', 'bob', 60),
    );
    expect(await total()).toBe(240);
  });

  test('`transferShared` loses nothing there', async () => {
    const other = await inAnotherProcess();
    await replicas.together((replica, n) =>
      n === 0 ? transferShared(replica, 'ann', 'bob', 60) : other.transferShared(replica, 'cid', 'bob', 60),
    );
    expect(await balances()).toEqual([40, 220, 40]);
  });

  test('`transferShared` in two processes, in all directions at once: nothing hangs, no account is overdrawn', async () => {
    const other = await inAnotherProcess();
    await replicas.each((replica, n) => {
      const send = n === 0 ? transferShared : other.transferShared;
      return Promise.all(
        ways.flatMap(([from, to]) => [60, 60, 7].map((cents) => send(replica, from, to, cents))),
      );
    });
    expect(await total()).toBe(300);
    expect(Math.min(...(await balances()))).toBeGreaterThanOrEqual(0);
  });

  test('the naive way with locks hangs, and has taken from both by then', async () => {
    let settled = 0;
    for (const [from, to] of ways.slice(0, 2)) {
      void transferNested(pool, from, to, 60).finally(() => settled++);
    }
    while ((await total()) !== 180) await pause(5);
    await pause(50);
    expect([settled, await balances()]).toEqual([0, [40, 40, 100]]);
  });

  test('the naive way without locks spends the same money twice', async () => {
    await replicas.together((replica, n) => naiveTransfer(replica, 'ann', n === 0 ? 'bob' : 'cid', 60));
    expect(await balances()).toEqual([40, 160, 160]);
  });
});
