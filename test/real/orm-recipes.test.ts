import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable } from 'drizzle-orm/pg-core';
import knex from 'knex';
import { Kysely, PostgresDialect, sql } from 'kysely';
import type { ConnectionPoolOptions } from 'latchkey';
import type pg from 'pg';
import {
  ConnectionAcquireTimeoutError,
  ConnectionRefusedError,
  DataTypes,
  QueryTypes,
  Sequelize,
} from 'sequelize';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { pooledKnex } from '../../docs/recipes/connection-knex.js';
import { LeasedPgPool } from '../../docs/recipes/connection-pg-pool.js';
import { postgresPool } from '../../docs/recipes/connection-pool-pg.js';
import { usePool } from '../../docs/recipes/connection-sequelize.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { closedPort } from '../support/engines/tcp.js';

const patience = { timeout: 10_000 };

let postgres: PostgresServer;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.admin('CREATE TABLE accounts (id int PRIMARY KEY, balance int CHECK (balance >= 0))');
  await postgres.admin('GRANT ALL ON accounts TO app');
});

afterAll(() => postgres[Symbol.asyncDispose]());

beforeEach(async () => {
  await postgres.admin('TRUNCATE accounts');
  await postgres.admin('INSERT INTO accounts VALUES (1, 100), (2, 100)');
});

async function balances(): Promise<number[]> {
  const rows = await postgres.admin<{ balance: number }>('SELECT balance FROM accounts ORDER BY id');
  return rows.map(({ balance }) => balance);
}

async function sessions(): Promise<number> {
  const sql = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = 'app'";
  const [row] = await postgres.admin<{ count: number }>(sql);
  return row?.count ?? 0;
}

/** A dial may be under way when all queries are answered, and the server may take a moment to notice that a client has gone. */
const sessionsAre = (count: number) => vi.waitFor(async () => expect(await sessions()).toBe(count), patience);

async function killSessions(): Promise<void> {
  await postgres.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
  await sessionsAre(0);
}

describe('recipe pg-pool', () => {
  function leasedPgPool(options: ConnectionPoolOptions) {
    const connections = postgresPool(postgres.connectionOptions, options);
    const pool = new LeasedPgPool(connections);
    onTestFinished(() => pool.end());
    return { pool, connections };
  }

  it('serves 100 queries over 5 clients, and counts them as pg-pool does', async () => {
    const { pool } = leasedPgPool({ max: 5 });
    const answers = Array.from({ length: 100 }, (_, n) => pool.query('SELECT $1::int AS n', [n]));
    expect(pool.waitingCount).toBeGreaterThan(0);
    expect((await Promise.all(answers)).map(({ rows }) => rows[0].n)).toEqual([...Array(100).keys()]);
    await vi.waitFor(
      () => expect(pool).toMatchObject({ totalCount: 5, idleCount: 5, waitingCount: 0 }),
      patience,
    );
  });

  it('keeps the client of a failed statement, which pg-pool closes', async () => {
    const { pool, connections } = leasedPgPool({ max: 1 });
    await expect(pool.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await pool.query('SELECT 1');
    expect(connections.stats().connected).toBe(1);
  });

  it.each<[string, (client: pg.PoolClient) => unknown]>([
    ['true', (client) => client.release(true)],
    ['an error', (client) => client.release(new Error('in doubt'))],
    ['nothing, in an open transaction', (client) => client.query('BEGIN').then(() => client.release())],
  ])('closes a client that is released with %s', async (_, release) => {
    const { pool, connections } = leasedPgPool({ max: 1 });
    await release(await pool.connect());
    await pool.query('SELECT 1');
    expect(connections.stats().connected).toBe(2);
  });

  it('serves callers with callbacks', async () => {
    const { pool } = leasedPgPool({ max: 1 });
    const answer = new Promise((resolve, reject) => {
      pool.connect((error, client, done) => {
        if (client === undefined) return reject(error);
        client.query('SELECT 42 AS n', (failed, result) => {
          done();
          if (failed) reject(failed);
          else resolve(result.rows);
        });
      });
    });
    expect(await answer).toEqual([{ n: 42 }]);
    expect(pool.idleCount).toBe(1);
  });

  it('rejects with the reason when the port is closed, and with ERR_CLOSED after end()', async () => {
    const pool = new LeasedPgPool(postgresPool(await closedPort()));
    const why = { code: 'ERR_CONNECT', cause: { code: 'ECONNREFUSED' } };
    await expect(pool.query('SELECT 1')).rejects.toMatchObject(why);
    await expect(pool.connect()).rejects.toMatchObject(why);
    await pool.end();
    await expect(pool.connect()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('leaves no session once it has ended', async () => {
    const { pool } = leasedPgPool({ max: 3 });
    await Promise.all([1, 2, 3].map(() => pool.query('SELECT 1')));
    await new Promise<void>((ended) => pool.end(ended));
    await sessionsAre(0);
  });

  describe('with Kysely', () => {
    interface Database {
      accounts: { id: number; balance: number };
    }

    function kysely(options: ConnectionPoolOptions) {
      const { pool, connections } = leasedPgPool(options);
      return { db: new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }), pool, connections };
    }

    it('selects, commits and rolls back over two clients', async () => {
      const { db, pool } = kysely({ max: 2 });
      const move = (amount: number) =>
        db.transaction().execute(async (trx) => {
          const change = (id: number, by: number) =>
            trx
              .updateTable('accounts')
              .set({ balance: sql`balance + ${by}` })
              .where('id', '=', id)
              .execute();
          await change(1, amount);
          await change(2, -amount);
        });
      await Promise.all([10, 20, 30].map(move));
      await expect(move(50)).rejects.toMatchObject({ code: '23514' });
      expect(await balances()).toEqual([160, 40]);
      expect(await db.selectFrom('accounts').select('id').orderBy('id').execute()).toEqual([
        { id: 1 },
        { id: 2 },
      ]);
      await vi.waitFor(() => expect(pool).toMatchObject({ totalCount: 2, idleCount: 2 }), patience);
    });

    it('gets a new client after the server killed the one in its transaction', async () => {
      const { db, connections } = kysely({ max: 1 });
      const killed = db
        .transaction()
        .execute((trx) => sql`SELECT pg_terminate_backend(pg_backend_pid())`.execute(trx));
      await expect(killed).rejects.toThrow();
      expect((await sql<{ n: number }>`SELECT 42 AS n`.execute(db)).rows).toEqual([{ n: 42 }]);
      expect(connections.stats().connected).toBe(2);
    });
  });

  it('with Drizzle: selects, commits and rolls back over two clients', async () => {
    const { pool } = leasedPgPool({ max: 2 });
    const accounts = pgTable('accounts', { id: integer().primaryKey(), balance: integer() });
    const db = drizzle(pool);
    const add = (amount: number) =>
      db.transaction(async (tx) => {
        await tx.update(accounts).set({ balance: drizzleSql`${accounts.balance} + ${amount}` });
        await tx.update(accounts).set({ balance: drizzleSql`${accounts.balance} - 150` });
        await tx.update(accounts).set({ balance: drizzleSql`${accounts.balance} + 150` });
      });
    await Promise.all([60, 70].map(add));
    await expect(add(-100)).rejects.toMatchObject({ cause: { code: '23514' } });
    expect(await db.select().from(accounts).orderBy(accounts.id)).toEqual([
      { id: 1, balance: 230 },
      { id: 2, balance: 230 },
    ]);
    await vi.waitFor(() => expect(pool).toMatchObject({ totalCount: 2, idleCount: 2 }), patience);
  });
});

describe('recipe knex', () => {
  function pooled(config: Parameters<typeof pooledKnex>[0] = {}, options?: ConnectionPoolOptions) {
    const db = pooledKnex({ client: 'pg', connection: postgres.connectionOptions, ...config }, options);
    onTestFinished(() => db.destroy());
    return db;
  }

  it('selects, commits and rolls back over two connections', async () => {
    const db = pooled({ pool: { max: 2 } });
    const move = (amount: number) =>
      db.transaction(async (trx) => {
        await trx('accounts').where({ id: 1 }).increment('balance', amount);
        await trx('accounts').where({ id: 2 }).decrement('balance', amount);
      });
    await Promise.all([10, 20, 30].map(move));
    await expect(move(50)).rejects.toMatchObject({ code: '23514' });
    expect(await db('accounts').select('balance').orderBy('id')).toEqual([{ balance: 160 }, { balance: 40 }]);
    await sessionsAre(2);
    await vi.waitFor(() => expect(db.client.pool.numFree()).toBe(2), patience);
  });

  it('asks `validate` of its settings at each borrow, and replaces the connection it refuses', async () => {
    let asked = 0;
    const validate = async () => ++asked !== 2;
    const db = pooled({ pool: { max: 1, validate } });
    const pid = async () => (await db.raw('SELECT pg_backend_pid() AS pid')).rows[0].pid as number;
    const [first, same, other] = [await pid(), await pid(), await pid()];
    expect(same).toBe(first);
    expect(other).not.toBe(first);
  });

  it('never lends the connection on which knex gave up a query', async () => {
    const db = pooled({ pool: { max: 1 } });
    await expect(db.raw('SELECT pg_sleep(5)').timeout(50)).rejects.toThrow(knex.KnexTimeoutError);
    expect((await db.raw('SELECT 42 AS n')).rows).toEqual([{ n: 42 }]);
  });

  it('serves queries after the server killed its idle connection', async () => {
    // With two, a dial may still be under way when the queries are answered.
    const db = pooled({ pool: { max: 1 } });
    await db.raw('SELECT 1');
    await killSessions();
    await vi.waitFor(() => expect(db.client.pool.numFree()).toBe(0), patience);
    expect((await db.raw('SELECT 42 AS n')).rows).toEqual([{ n: 42 }]);
  });

  it('rejects with the timeout error of knex, whose cause is the error of the pool', async () => {
    const db = pooled({ pool: { max: 1 }, acquireConnectionTimeout: 1_000, log: { warn() {} } });
    await db.transaction(async () => {
      const starved = await db.raw('SELECT 1').then(undefined, (error) => error);
      expect(starved).toBeInstanceOf(knex.KnexTimeoutError);
      expect(starved.cause).toMatchObject({ code: 'ERR_WAIT_TIMEOUT' });
    });
  });

  it('rejects at once with the reason when the port is closed', async () => {
    const db = pooled({ connection: await closedPort(), log: { warn() {} } });
    await expect(db.raw('SELECT 1')).rejects.toMatchObject({
      code: 'ERR_CONNECT',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('leaves no session once it is destroyed, and can be initialized again', async () => {
    const db = pooled({ pool: { max: 2 } });
    await Promise.all([1, 2].map(() => db.raw('SELECT 1')));
    await db.destroy();
    await sessionsAre(0);
    db.initialize();
    expect((await db.raw('SELECT 42 AS n')).rows).toEqual([{ n: 42 }]);
  });
});

describe('recipe sequelize', () => {
  function sequelizeOf(
    pool: { max: number; acquire?: number },
    { host, port }: { host: string; port: number } = postgres.connectionOptions,
    options?: ConnectionPoolOptions,
  ) {
    const login = { database: 'postgres', username: 'app', host, port };
    const sequelize = usePool(
      new Sequelize({ dialect: 'postgres', ...login, pool, logging: false }),
      options,
    );
    const Account = sequelize.define(
      'account',
      { id: { type: DataTypes.INTEGER, primaryKey: true }, balance: DataTypes.INTEGER },
      { timestamps: false },
    );
    const close = () => sequelize.close();
    return { sequelize, Account, close };
  }

  it('selects, commits and rolls back over two connections', async () => {
    const { sequelize, Account, close } = sequelizeOf({ max: 2 });
    onTestFinished(close);
    const move = (amount: number) =>
      sequelize.transaction(async (transaction) => {
        await Account.increment({ balance: amount }, { where: { id: 1 }, transaction });
        await Account.increment({ balance: -amount }, { where: { id: 2 }, transaction });
      });
    await Promise.all([10, 20, 30].map(move));
    await expect(move(50)).rejects.toMatchObject({ parent: { code: '23514' } });
    expect(await balances()).toEqual([160, 40]);
    expect(await Account.count()).toBe(2);
    await sessionsAre(2);
  });

  it('serves queries after the server killed its idle connection', async () => {
    const { sequelize, close } = sequelizeOf({ max: 1 });
    onTestFinished(close);
    const ask = () => sequelize.query('SELECT 42 AS n', { type: QueryTypes.SELECT });
    await ask();
    await killSessions();
    expect(await ask()).toEqual([{ n: 42 }]);
  });

  it('rejects with the timeout error of sequelize, whose parent is the error of the pool', async () => {
    const { sequelize, close } = sequelizeOf({ max: 1, acquire: 1_000 });
    onTestFinished(close);
    await sequelize.transaction(async () => {
      const starved = await sequelize.query('SELECT 1').then(undefined, (error) => error);
      expect(starved).toBeInstanceOf(ConnectionAcquireTimeoutError);
      expect(starved.parent).toMatchObject({ code: 'ERR_WAIT_TIMEOUT' });
    });
  });

  it('rejects with the refusal error of sequelize when the port is closed', async () => {
    const { sequelize, close } = sequelizeOf({ max: 1 }, await closedPort());
    onTestFinished(close);
    await expect(sequelize.query('SELECT 1')).rejects.toThrow(ConnectionRefusedError);
  });

  it('leaves no session once it is closed', async () => {
    const { sequelize, close } = sequelizeOf({ max: 2 });
    await Promise.all([1, 2].map(() => sequelize.query('SELECT 1')));
    await close();
    await sessionsAre(0);
  });
});
