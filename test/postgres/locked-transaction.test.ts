/** lockedTransaction on a real PostgreSQL: the wait in its three parts, and what it leaves of the application's settings. */
import { WaitTimeoutError } from 'latchkey';
import { lockedTransaction, type PostgresClient } from 'latchkey/postgres';
import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../remote-locks/support/real-time.js';
import { postgresForTests } from './support/postgres-for-tests.js';

const postgres = postgresForTests();
const { poolOf } = postgres;
let pool: pg.Pool;

beforeAll(async () => {
  pool = poolOf();
});

/** Holds the key until `free` is called. */
function holding(key: string, from = pool) {
  let free = () => {};
  let held = () => {};
  const isHeld = new Promise<void>((resolve) => (held = resolve));
  const end = lockedTransaction(from, key, () => {
    held();
    return new Promise<void>((resolve) => (free = resolve));
  });
  return { isHeld, free: () => free(), end };
}

const advisoryLocks = async (granted: boolean) => {
  const sql = "select count(*)::int as n from pg_locks where locktype = 'advisory' and granted = $1";
  return (await postgres.server.admin<{ n: number }>(sql, [granted]))[0]!.n;
};

describe('locked transaction', () => {
  test('LT1: one task at a time over two processes, with any number of callers', async () => {
    const replicas = [poolOf(), poolOf()];
    let inside = 0;
    const runs = Array.from({ length: 40 }, (_, i) =>
      lockedTransaction(replicas[i % 2]!, 'one', async (client) => {
        expect(++inside).toBe(1);
        await client.query('select 1');
        inside--;
        return i;
      }),
    );
    expect(await Promise.all(runs)).toHaveLength(40);
  });

  test('LT2: a connection that is lost takes its lock and its writes with it', async () => {
    await pool.query('create table written (n int)');
    const run = lockedTransaction(pool, 'two', async (client) => {
      await client.query('insert into written values (1)');
      const { rows } = await client.query('select pg_backend_pid() as pid');
      await postgres.server.admin('select pg_terminate_backend($1)', [rows[0].pid]);
      await client.query('select 1');
    });
    await expect(run).rejects.toThrow();
    expect(await lockedTransaction(pool, 'two', () => 'next')).toBe('next');
    expect((await pool.query('select from written')).rowCount).toBe(0);
  });

  test('LT3: the task sees the writes that the previous holder committed', async () => {
    await pool.query('create table counters (n int)');
    await pool.query('insert into counters values (0)');
    const other = poolOf();
    const add = async (client: PostgresClient) => {
      const { rows } = await client.query('select n from counters');
      await client.query('update counters set n = $1', [rows[0].n + 1]);
    };
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => lockedTransaction(i % 2 ? pool : other, 'three', add)),
    );
    expect((await pool.query('select n from counters')).rows[0].n).toBe(30);
  });

  test('LT4: thirty callers of one key take one connection between them', async () => {
    const small = poolOf({ max: 4 });
    const holder = holding('four', small);
    await holder.isHeld;
    const waits = Array.from({ length: 30 }, () =>
      lockedTransaction(small, 'four', () => small.query('select 1')),
    );
    expect([small.totalCount, small.waitingCount]).toEqual([1, 0]);
    holder.free();
    expect(await Promise.all(waits)).toHaveLength(30);
    await holder.end;
  });

  describe('LT5: a wait that has to end', () => {
    const parts = {
      'in the queue of this process': async () => {
        const holder = holding('queue');
        await holder.isHeld;
        return { from: pool, key: 'queue', end: holder, hint: 'gave up' };
      },
      'for a connection of the pool': async () => {
        const small = poolOf({ max: 1 });
        const holder = holding('other key', small);
        await holder.isHeld;
        return { from: small, key: 'pool', end: holder, hint: 'no connection of the pool was free' };
      },
      'for the lock, in the database': async () => {
        const holder = holding('database', poolOf());
        await holder.isHeld;
        return { from: poolOf(), key: 'database', end: holder, hint: 'gave up' };
      },
    };
    test.each(Object.keys(parts))('%s: after waitTimeoutMs, and when the signal aborts', async (part) => {
      const { from, key, end, hint } = await parts[part as keyof typeof parts]();
      let ran = false;
      const task = () => {
        ran = true;
      };
      const late = lockedTransaction(from, key, task, { waitTimeoutMs: 60 });
      await expect(late).rejects.toBeInstanceOf(WaitTimeoutError);
      await expect(late).rejects.toMatchObject({ key, held: 1, waiting: 0, limit: 1 });
      await expect(late).rejects.toThrow(hint);
      if (part !== 'for a connection of the pool') await expect(late).rejects.not.toThrow('no connection');
      const controller = new AbortController();
      const aborted = lockedTransaction(from, key, task, { signal: controller.signal });
      setTimeout(() => controller.abort('enough'), 30);
      await expect(aborted).rejects.toBe('enough');
      end.free();
      await end.end;
      expect(await lockedTransaction(from, key, () => 'free')).toBe('free');
      expect(ran).toBe(false);
      await until(async () => from.idleCount === from.totalCount);
    });

    test('a caller that has left gives its connection back at the end of the slice, while the lock is held', async () => {
      const holder = holding('left');
      await holder.isHeld;
      // Slices of 200 ms.
      const from = poolOf({ query_timeout: 400 });
      await expect(lockedTransaction(from, 'left', () => 1, { waitTimeoutMs: 300 })).rejects.toBeInstanceOf(
        WaitTimeoutError,
      );
      await until(async () => from.totalCount === 1 && from.idleCount === 1);
      expect(await advisoryLocks(true)).toBe(1);
      holder.free();
      await holder.end;
    });

    test('a signal that is aborted already has no effect but the rejection', async () => {
      const signal = AbortSignal.abort('no');
      await expect(lockedTransaction(pool, 'five', () => 1, { signal })).rejects.toBe('no');
    });
  });

  describe('LT6: timeouts of the application', () => {
    test.each([
      ['statement_timeout', { statement_timeout: 400 }],
      ['lock_timeout', { lock_timeout: 400 }],
      ['query_timeout of the driver', { query_timeout: 400 }],
    ])('%s does not end the wait, and is in force in the task', async (_name, options) => {
      const other = poolOf(options);
      const holder = holding('six', pool);
      await holder.isHeld;
      const settings =
        "select current_setting('lock_timeout') as l, current_setting('statement_timeout') as s";
      const expected = (await other.query(settings)).rows;
      const wait = lockedTransaction(other, 'six', async (client) => (await client.query(settings)).rows);
      await until(async () => (await advisoryLocks(false)) === 1);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      holder.free();
      expect(await wait).toEqual(expected);
      expect((await other.query(settings)).rows).toEqual(expected);
      await holder.end;
    });
  });

  test('a free lock costs two round trips: BEGIN with the lock, and COMMIT', async () => {
    const statements: string[] = [];
    const client = {
      async query(text: string) {
        statements.push(text);
        return text.startsWith('begin') ? [{}, {}, { rows: [{ got: true }] }] : { command: 'COMMIT' };
      },
      on() {},
      off() {},
      release() {},
    };
    const scripted = { connect: async () => client, query: client.query } as never;
    expect(await lockedTransaction(scripted, 'free', () => 1)).toBe(1);
    expect(statements).toEqual([expect.stringContaining('pg_try_advisory_xact_lock'), 'commit']);
  });

  test('nothing stays on the pool and its connections but what the pool has put there', async () => {
    const from = poolOf({ max: 1 });
    const listeners = async () => {
      const client = await from.connect();
      await new Promise((resolve) => setTimeout(resolve, 10));
      const count = client.listenerCount('error');
      client.release();
      return count;
    };
    const before = await listeners();
    for (let i = 0; i < 3; i++) await lockedTransaction(from, 'listeners', () => 1);
    expect([await listeners(), from.listenerCount('connect')]).toEqual([before, 1]);
    // On a connection that was announced, too.
    const other = poolOf({ max: 1 });
    for (let i = 0; i < 3; i++) await lockedTransaction(other, 'listeners', () => 1);
    const client = await other.connect();
    expect(client.listenerCount('error')).toBe(before);
    client.release();
  });

  test('nothing is left behind: no lock, no connection', async () => {
    await until(async () => (await advisoryLocks(true)) + (await advisoryLocks(false)) === 0);
    for (const { idleCount, totalCount } of postgres.pools) expect(idleCount).toBe(totalCount);
  });

  test.each(['a\0b', 'half \ud800'])(
    'a key that PostgreSQL could not tell from others is refused: %j',
    async (key) => {
      await expect(lockedTransaction(pool, key, () => 1)).rejects.toThrow('key must not contain');
      await expect(lockedTransaction(pool, 'a', () => 1, { namespace: key })).rejects.toThrow('namespace');
    },
  );
});

test('create index concurrently, run by the holder on another connection, ends while another process waits for the lock', async () => {
  const waiting = poolOf();
  await pool.query('create table big as select generate_series(1, 100) as x');
  let isBuilt = false;
  const build = lockedTransaction(pool, 'index', async () => {
    await until(async () => (await advisoryLocks(false)) === 1);
    await poolOf().query('create index concurrently on big (x)');
    isBuilt = true;
  });
  await until(async () => (await advisoryLocks(true)) === 1);
  expect(await lockedTransaction(waiting, 'index', () => isBuilt)).toBe(true);
  await build;
});
