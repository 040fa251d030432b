/** Transactions against a real PostgreSQL: which writes are lost without them, and how they end. */

import { eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, serial, text } from 'drizzle-orm/pg-core';
import { WaitTimeoutError } from 'latchkey';
import {
  getOrCreate,
  isUniqueViolation,
  lockedTransaction,
  type PostgresClient,
  retryTransaction,
  sqlStateOf,
  updateVersioned,
} from 'latchkey/postgres';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';

let server: PostgresServer;
let pool: pg.Pool;

beforeAll(async () => {
  server = await startPostgres();
  await server.admin('grant all on schema public to public');
  pool = new pg.Pool({ ...server.connectionOptions, max: 20 });
  pool.on('error', () => {});
  await pool.query(`
    create table counters (id int primary key, n int not null, version int not null default 0);
    create table doctors (name text primary key, on_call boolean not null);
    create table users (id serial primary key, email text not null constraint users_email_key unique,
      name text constraint users_name_key unique);
    create table parents (id int primary key);
    create table children (parent int references parents (id) deferrable initially deferred);`);
});
afterAll(async () => {
  await pool.end();
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await pool.query(`truncate counters, users, doctors, parents cascade; insert into counters values (1, 0);
    insert into doctors values ('ann', true), ('bob', true)`);
});

const count = async () => (await pool.query('select n from counters')).rows[0].n as number;
const times = <T>(n: number, task: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: n }, (_, i) => task(i)));
const increment = async (client: Pick<PostgresClient, 'query'>) => {
  const { rows } = await client.query('select n from counters where id = 1');
  await client.query('update counters set n = $1 where id = 1', [rows[0].n + 1]);
};

describe('lost updates', () => {
  test('the naive way loses some of forty', async () => {
    await times(40, () => increment(pool));
    expect(await count()).toBeLessThan(40);
  });

  test('retryTransaction loses none, at either level that detects them', async () => {
    for (const isolation of ['serializable', 'repeatable read'] as const) {
      await pool.query('update counters set n = 0');
      const options = { isolation, attempts: 1_000 };
      await times(40, () => retryTransaction(pool, increment, options));
      expect(await count()).toBe(40);
    }
  });

  test('lockedTransaction loses none, without a retry', async () => {
    await times(40, () => lockedTransaction(pool, 'counter', increment));
    expect(await count()).toBe(40);
  });

  test('updateVersioned loses none', async () => {
    const add = () =>
      updateVersioned<number>(
        {
          async read() {
            const { rows } = await pool.query('select n, version from counters where id = 1');
            return rows[0] && { value: rows[0].n, version: rows[0].version };
          },
          change: (n) => n + 1,
          async write(n, version) {
            const sql = 'update counters set n = $1, version = version + 1 where id = 1 and version = $2';
            return (await pool.query(sql, [n, version])).rowCount;
          },
        },
        { attempts: 1_000 },
      );
    await times(20, add);
    expect(await count()).toBe(20);
  });

  test('updateVersioned resolves with undefined without a row, and rejects when another writer is always faster', async () => {
    const nobody = { read: () => undefined, change: (n: number) => n, write: () => 1 };
    expect(await updateVersioned(nobody)).toBeUndefined();
    const unlucky = { read: () => ({ value: 1, version: 7 }), change: (n: number) => n, write: () => 0 };
    await expect(updateVersioned(unlucky, { attempts: 2 })).rejects.toMatchObject({
      code: 'ERR_VERSION_CONFLICT',
      version: 7,
    });
  });
});

describe('write skew', () => {
  /** Goes off call only if another doctor stays on; two that ask at once each see the other. */
  const leave = (name: string) => async (client: PostgresClient) => {
    const { rows } = await client.query('select count(*)::int as n from doctors where on_call');
    await new Promise((resolve) => setTimeout(resolve, 30));
    if (rows[0].n > 1) await client.query('update doctors set on_call = false where name = $1', [name]);
  };
  const onCall = async () => (await pool.query('select * from doctors where on_call')).rowCount;

  test('repeatable read lets both go', async () => {
    const options = { isolation: 'repeatable read' } as const;
    await Promise.all(['ann', 'bob'].map((name) => retryTransaction(pool, leave(name), options)));
    expect(await onCall()).toBe(0);
  });

  test('serializable keeps one', async () => {
    await Promise.all(['ann', 'bob'].map((name) => retryTransaction(pool, leave(name))));
    expect(await onCall()).toBe(1);
  });

  test('so does a lock', async () => {
    await Promise.all(['ann', 'bob'].map((name) => lockedTransaction(pool, 'rota', leave(name))));
    expect(await onCall()).toBe(1);
  });
});

describe('how a transaction ends', () => {
  test('a deadlock is tried again, whole, until both have gone through', async () => {
    await pool.query('insert into counters values (2, 0)');
    const both = (first: number, second: number) =>
      retryTransaction(
        pool,
        async (client) => {
          await client.query('update counters set n = n + 1 where id = $1', [first]);
          await new Promise((resolve) => setTimeout(resolve, 50));
          await client.query('update counters set n = n + 1 where id = $1', [second]);
        },
        { isolation: 'read committed' },
      );
    await Promise.all([both(1, 2), both(2, 1)]);
    const { rows } = await pool.query('select n from counters order by id');
    expect(rows).toEqual([{ n: 2 }, { n: 2 }]);
  });

  test('an error of the task passes through untouched, the task runs once, and nothing is written', async () => {
    const failure = new Error('of the task');
    let runs = 0;
    const run = retryTransaction(pool, async (client) => {
      runs++;
      await client.query('update counters set n = 9');
      throw failure;
    });
    await expect(run).rejects.toBe(failure);
    expect([runs, await count()]).toEqual([1, 0]);
  });

  test('a COMMIT that is answered ROLLBACK is an error', async () => {
    const run = retryTransaction(pool, async (client) => {
      await client.query('update counters set n = 9');
      await client.query('select 1 / 0').catch(() => {});
    });
    await expect(run).rejects.toMatchObject({ code: 'ERR_ROLLED_BACK' });
    expect(await count()).toBe(0);
  });

  test('a constraint that is checked at COMMIT is the server’s verdict, and the connection lives on', async () => {
    const run = retryTransaction(pool, (client) => client.query('insert into children values (1)'));
    await expect(run).rejects.toMatchObject({ code: '23503' });
  });

  test('a connection that is lost during COMMIT leaves the outcome unknown, and is not tried again', async () => {
    let runs = 0;
    const broken = {
      query: pool.query.bind(pool),
      async connect() {
        const client = await pool.connect();
        const query = client.query.bind(client) as (
          sql: string,
          values?: unknown[],
        ) => Promise<pg.QueryResult>;
        return {
          on: client.on.bind(client),
          off: client.off.bind(client),
          release: client.release.bind(client),
          async query(sql: string, values?: unknown[]) {
            if (sql !== 'commit') return query(sql, values);
            const { rows } = await query('select pg_backend_pid() as pid');
            await server.admin('select pg_terminate_backend($1)', [rows[0].pid]);
            return query(sql);
          },
        };
      },
    };
    const run = retryTransaction(broken as unknown as pg.Pool, async (client) => {
      runs++;
      await client.query('update counters set n = 9');
    });
    await expect(run).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
    expect(runs).toBe(1);
  });

  test('a connection that is killed in the task is the task’s error, and is not used again', async () => {
    const run = lockedTransaction(pool, 'killed', async (client) => {
      const { rows } = await client.query('select pg_backend_pid() as pid');
      await server.admin('select pg_terminate_backend($1)', [rows[0].pid]);
      await client.query('select 1');
    });
    await expect(run).rejects.toThrow();
    expect(await lockedTransaction(pool, 'killed', () => 'next')).toBe('next');
  });

  test('a lock that is not had in time is a WaitTimeoutError with the key', async () => {
    let free = () => {};
    const holder = lockedTransaction(pool, 'busy', () => new Promise<void>((resolve) => (free = resolve)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const wait = lockedTransaction(pool, 'busy', () => 'never', { waitTimeoutMs: 100 });
    await expect(wait).rejects.toBeInstanceOf(WaitTimeoutError);
    await expect(wait).rejects.toMatchObject({ key: 'busy' });
    free();
    await holder;
  });

  test('a level that has seen the data before the lock is refused', async () => {
    const options = { isolation: 'serializable' } as object;
    await expect(lockedTransaction(pool, 'key', () => 1, options)).rejects.toThrow('isolation');
    await expect(retryTransaction(pool, () => 1, { isolation: 'chaos' as never })).rejects.toThrow(
      'isolation',
    );
  });

  test('no connection is left behind by any of it', () => {
    expect(pool.totalCount - pool.idleCount).toBe(0);
  });
});

describe('with Drizzle, which wraps the errors of the server', () => {
  const counters = pgTable('counters', { id: integer().primaryKey(), n: integer().notNull() });
  const users = pgTable('users', { id: serial().primaryKey(), email: text().notNull() });

  test('PT1: a serialization failure of one of its statements is retried', async () => {
    let runs = 0;
    const wrapped: unknown[] = [];
    const add = () =>
      retryTransaction(
        pool,
        async (client) => {
          runs++;
          const db = drizzle(client as pg.PoolClient);
          const [row] = await db.select().from(counters).where(eq(counters.id, 1));
          const write = db
            .update(counters)
            .set({ n: row!.n + 1 })
            .where(eq(counters.id, 1));
          await write.catch((error) => {
            wrapped.push(error);
            throw error;
          });
        },
        { attempts: 100 },
      );
    await times(12, add);
    expect(await count()).toBe(12);
    expect(runs).toBeGreaterThan(12);
    // So that this test can fail: the SQLSTATE is not on the error itself.
    expect(wrapped[0]).toMatchObject({ cause: { code: '40001' } });
    expect(wrapped[0]).not.toHaveProperty('code');
  });

  test('a unique violation is a conflict, by the name of its constraint', async () => {
    const db = drizzle(pool);
    const user = () =>
      getOrCreate({
        find: async () => (await db.select().from(users).where(eq(users.email, 'a@b')))[0],
        create: async () => (await db.insert(users).values({ email: 'a@b' }).returning())[0]!,
        isConflict: (error) => isUniqueViolation(error, 'users_email_key'),
      });
    const got = await times(20, user);
    expect(new Set(got.map(({ value }) => value.id)).size).toBe(1);
    expect(got.filter(({ created }) => created)).toHaveLength(1);
    const twice = await db.execute(sql`insert into users (email) values ('a@b')`).catch((error) => error);
    expect(isUniqueViolation(twice, 'users_email_key')).toBe(true);
    expect(isUniqueViolation(twice, 'users_name_key')).toBe(false);
  });
});

describe('get or create', () => {
  const user = (email: string, name?: string) =>
    getOrCreate<{ id: number }>({
      find: async () => (await pool.query('select * from users where email = $1', [email])).rows[0],
      create: async () =>
        (await pool.query('insert into users (email, name) values ($1, $2) returning *', [email, name]))
          .rows[0],
      isConflict: (error) => isUniqueViolation(error, 'users_email_key'),
    });

  test('twenty at once make one', async () => {
    const got = await times(20, () => user('a@b'));
    expect(new Set(got.map(({ value }) => value.id)).size).toBe(1);
    expect(got.filter(({ created }) => created)).toHaveLength(1);
  });

  test('a violation of another constraint is another mistake', async () => {
    await user('a@b', 'ann');
    const wait = user('c@d', 'ann');
    await expect(wait).rejects.toMatchObject({ constraint: 'users_name_key' });
  });

  test('a find that answers null has found nothing', async () => {
    const steps = { find: () => null, create: () => 'made', isConflict: () => false };
    expect(await getOrCreate<string>(steps)).toEqual({ value: 'made', created: true });
    expect(
      await updateVersioned({ read: () => null, change: (n: number) => n, write: () => 1 }),
    ).toBeUndefined();
  });

  test('in a transaction, the error of a conflict names the missing option, and a savepoint solves it', async () => {
    const other = await pool.connect();
    await other.query("begin; insert into users (email) values ('tx@b')");
    const inTransaction = (withClient: boolean) =>
      retryTransaction(
        pool,
        (client) => {
          const one = async (sql: string) => (await client.query(sql)).rows[0] as { id: number } | undefined;
          return getOrCreate({
            find: () => one("select * from users where email = 'tx@b'"),
            create: async () => (await one("insert into users (email) values ('tx@b') returning *"))!,
            isConflict: isUniqueViolation,
            client: withClient ? client : undefined,
          });
        },
        { isolation: 'read committed' },
      );
    const [without, within] = [inTransaction(false), inTransaction(true)];
    const ends = Promise.allSettled([without, within]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await other.query('commit');
    other.release();
    await ends;
    await expect(without).rejects.toMatchObject({ code: 'ERR_SAVEPOINT_NEEDED', cause: { code: '23505' } });
    expect((await within).created).toBe(false);
    expect((await pool.query("select from users where email = 'tx@b'")).rowCount).toBe(1);
  });

  test('an error of create that is no conflict goes through the savepoint untouched, and the transaction goes on', async () => {
    const failure = Object.assign(new Error('too long'), { code: '22001' });
    const value = await retryTransaction(pool, async (client) => {
      const steps = {
        find: () => null,
        create: () => Promise.reject(failure),
        isConflict: isUniqueViolation,
        client,
      };
      await expect(getOrCreate(steps)).rejects.toBe(failure);
      return (await client.query('select 7 as n')).rows[0].n;
    });
    expect(value).toBe(7);
  });

  test('gives up with the conflict when the row is never there', async () => {
    const conflict = Object.assign(new Error('duplicate'), { code: '23505' });
    let created = 0;
    const wait = getOrCreate({
      find: () => undefined,
      create() {
        created++;
        throw conflict;
      },
      isConflict: isUniqueViolation,
    });
    await expect(wait).rejects.toBe(conflict);
    expect(created).toBe(3);
  });

  test('the constraint of a violation is found where its SQLSTATE is', () => {
    const wrapped = new Error('Failed query', { cause: { code: '23505', constraint: 'users_email_key' } });
    expect(isUniqueViolation(wrapped, 'users_email_key')).toBe(true);
    expect(isUniqueViolation(wrapped, 'users_name_key')).toBe(false);
    const circle: { cause?: unknown } = {};
    circle.cause = circle;
    expect(isUniqueViolation(circle)).toBe(false);
  });

  test.each([
    [{ code: '40001' }, '40001'],
    [{ code: 'ECONNRESET' }, undefined],
    [{ code: 'EPIPE' }, undefined],
    [new Error('wrapped', { cause: { code: '23505' } }), '23505'],
    [null, undefined],
    ['40001', undefined],
  ])('the SQLSTATE of %o is %s', (error, state) => {
    expect(sqlStateOf(error)).toBe(state);
  });
});
