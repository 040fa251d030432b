/** The recipes for PostgreSQL, each with two replicas that do the same at once. */
import { leaseTableSchema, PostgresMutex } from 'latchkey/postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandTable, drain } from '../../docs/recipes/entity-command-queue.js';
import { reports, writeFenced } from '../../docs/recipes/fencing.js';
import { type Customer, customerOf, customers } from '../../docs/recipes/get-or-create.js';
import { jobRuns, runOncePerDay } from '../../docs/recipes/job-exactly-once.js';
import { sellLocked, sellSerializable, sellVersioned } from '../../docs/recipes/lost-update.js';
import { migrate } from '../../docs/recipes/migration-guard.js';
import { customerLoader } from '../../docs/recipes/n-plus-one.js';
import { singleton } from '../../docs/recipes/singleton-worker.js';
import { doctors, goHome } from '../../docs/recipes/write-skew.js';
import { pause } from '../distributed/support/real-time.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';

let server: PostgresServer;
let replicas: [pg.Pool, pg.Pool];

beforeAll(async () => {
  server = await startPostgres();
  replicas = [1, 2].map(() => new pg.Pool({ ...server.connectionOptions, max: 10 })) as [pg.Pool, pg.Pool];
  for (const pool of replicas) pool.on('error', () => {});
});
afterAll(async () => {
  for (const pool of replicas) await pool.end();
  await server[Symbol.asyncDispose]();
});

const each = <T>(task: (pool: pg.Pool) => Promise<T>) => Promise.all(replicas.map(task));

test('job-exactly-once: of two replicas one runs it; a run that fails is no run', async () => {
  await replicas[0].query(jobRuns);
  let runs = 0;
  const run = async () => {
    runs++;
    await pause(20);
  };
  const failing = runOncePerDay(replicas[0], 'report', '2026-11-21', () =>
    Promise.reject(new Error('disk full')),
  );
  await expect(failing).rejects.toThrow('disk full');
  const won = await each((pool) => runOncePerDay(pool, 'report', '2026-11-21', run));
  expect(won.sort()).toEqual([false, true]);
  expect(runs).toBe(1);
});

test('singleton-worker: one works at a time, and the other takes over when its connection is gone', async () => {
  const stop = new AbortController();
  let inside = 0;
  let most = 0;
  const worked = [0, 0];
  const workers = replicas.map((pool, i) =>
    singleton(
      new PostgresMutex(pool, { mode: 'session', ttlMs: 2_000 }),
      'poller',
      async () => {
        most = Math.max(most, ++inside);
        worked[i]!++;
        await pause(5);
        inside--;
      },
      stop.signal,
    ),
  );
  const until = async (condition: () => boolean) => {
    for (let tries = 0; !condition(); tries++) {
      expect(tries).toBeLessThan(500);
      await pause(10);
    }
  };
  await until(() => worked.some((count) => count > 3));
  // When its connection is killed, the lock is free before the piece of work under way has ended.
  expect(most).toBe(1);
  const first = worked[0]! > 0 ? 0 : 1;
  const before = worked[first]!;
  await server.admin(
    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted",
  );
  await until(() => worked[1 - first]! > 0 || worked[first]! > before + 3);
  stop.abort();
  await Promise.all(workers);
});

test('entity-command-queue: each command once, those of an entity in order', async () => {
  await replicas[0].query(commandTable);
  for (let n = 0; n < 20; n++) {
    await replicas[0].query('insert into commands (entity, body) values ($1, $2)', [
      `entity ${n % 2}`,
      String(n),
    ]);
  }
  const handled: number[] = [];
  const handle = async (body: unknown) => {
    handled.push(body as number);
    await pause(1);
  };
  const counts = await each(
    async (pool) => (await drain(pool, 'entity 0', handle)) + (await drain(pool, 'entity 1', handle)),
  );
  expect(counts[0]! + counts[1]!).toBe(20);
  for (const parity of [0, 1]) {
    const own = handled.filter((n) => n % 2 === parity);
    expect(own).toEqual([...own].sort((a, b) => a - b));
  }
});

test('migration-guard: two replicas that start at once apply each migration once', async () => {
  const migrations = [
    { name: '1', sql: 'create table tickets (id int primary key)' },
    { name: '2', sql: 'alter table tickets add column seat text' },
  ];
  const applied = await each((pool) => migrate(pool, migrations));
  expect(applied.flat().sort()).toEqual(['1', '2']);
  expect(await migrate(replicas[0], [...migrations, { name: '3', sql: 'drop table tickets' }])).toEqual([
    '3',
  ]);
});

test('fencing: whoever was paused while his lease ended writes nothing', async () => {
  await replicas[0].query(`${reports}; ${leaseTableSchema()}`);
  const [slow, quick] = replicas.map((pool) => new PostgresMutex(pool, { mode: 'leaseTable', ttlMs: 300 }));
  const paused = await slow!.acquire('report');
  const untilMs = performance.now() + 500;
  while (performance.now() < untilMs);
  const next = await quick!.acquire('report');
  expect(await writeFenced(replicas[1], next, 'new')).toBe(true);
  expect(await writeFenced(replicas[0], paused, 'old')).toBe(false);
  expect((await replicas[0].query('select text from reports')).rows).toEqual([{ text: 'new' }]);
  await next.release();
});

test('lost-update: ten seats are sold to ten of twenty buyers, whichever way', async () => {
  await replicas[0].query(
    'create table shows (id int primary key, sold int, seats int, version int default 0)',
  );
  for (const [id, sell] of [sellLocked, sellVersioned, sellSerializable].entries()) {
    await replicas[0].query('insert into shows values ($1, 0, 10)', [id]);
    const buyers = Array.from({ length: 20 }, (_, i) => sell(replicas[i % 2]!, id));
    const sold = (await Promise.allSettled(buyers)).filter(({ status }) => status === 'fulfilled').length;
    const { rows } = await replicas[0].query('select sold from shows where id = $1', [id]);
    // With so many at once, a buyer may give up before it is his turn; nobody is sold a seat that is not there.
    expect(rows[0].sold).toBe(sold);
    expect(sold).toBeGreaterThan(0);
    expect(sold).toBeLessThanOrEqual(10);
  }
});

test('write-skew: of two doctors one stays', async () => {
  await replicas[0].query(`${doctors}; insert into doctors values ('ann', true), ('bob', true)`);
  const gone = await Promise.all([goHome(replicas[0], 'ann'), goHome(replicas[1], 'bob')]);
  expect(gone.filter(Boolean)).toHaveLength(1);
});

test('n-plus-one: a hundred orders ask once for their customers, and each gets his own', async () => {
  await replicas[0].query(
    "create table people (id int primary key, name text); insert into people values (1, 'ann'), (2, 'bob')",
  );
  let queries = 0;
  const counting = {
    connect: () => replicas[0].connect(),
    query(sql: string, values?: unknown[]) {
      queries++;
      return replicas[0].query(sql.replace('customers', 'people'), values);
    },
  };
  const loader = customerLoader(counting);
  const found = await Promise.all(Array.from({ length: 100 }, (_, i) => loader.load((i % 3) + 1)));
  expect(queries).toBe(1);
  expect(found.slice(0, 3).map((customer) => customer?.name)).toEqual(['ann', 'bob', undefined]);
});

test('get-or-create: a double click makes one customer', async () => {
  await replicas[0].query(customers);
  const got = await each((pool) => customerOf(pool, 'ann@example.com'));
  const ids = got.map(({ value }: { value: Customer }) => value.id);
  expect(ids[0]).toBe(ids[1]);
  expect(got.filter(({ created }) => created)).toHaveLength(1);
});
