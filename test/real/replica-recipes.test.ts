/** Recipes for work that one replica of several does, and the result of the naive code at the worst moment. */
import { leaseTableSchema, PostgresMutex, type PostgresPool } from 'latchkey/postgres';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { commandTable, drain } from '../../docs/recipes/entity-command-queue.js';
import { reports, writeFenced } from '../../docs/recipes/fencing.js';
import { jobRuns, runOncePerDay } from '../../docs/recipes/job-exactly-once.js';
import { migrate } from '../../docs/recipes/migration-guard.js';
import { drain as naiveDrain } from '../../docs/recipes/naive/entity-command-queue.js';
import { write } from '../../docs/recipes/naive/fencing.js';
import { runOncePerDay as naiveRunOncePerDay } from '../../docs/recipes/naive/job-exactly-once.js';
import { migrate as naiveMigrate } from '../../docs/recipes/naive/migration-guard.js';
import { poll } from '../../docs/recipes/naive/singleton-worker.js';
import { singleton } from '../../docs/recipes/singleton-worker.js';
import { pause } from '../remote-locks/support/real-time.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type Replicas, replicasOf } from '../support/engines/replicas.js';
import { readTogether } from '../support/read-together.js';

let server: PostgresServer;
let replicas: Replicas;
let pool: pg.Pool;

beforeAll(async () => {
  server = await startPostgres();
  replicas = replicasOf(server);
  pool = replicas.pools[0];
});
afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() =>
  pool.query(
    'drop table if exists job_runs, invoices, commands, migrations, tickets, reports, latchkey_leases',
  ),
);

describe('job-exactly-once', () => {
  const day = '2026-11-21';
  const invoices = async () => (await pool.query('select from invoices')).rowCount;
  beforeEach(() => pool.query(`${jobRuns}; create table invoices (id serial)`));
  const run = (client: Pick<PostgresPool, 'query'>) => client.query('insert into invoices default values');
  const dyingRun = async (client: Pick<PostgresPool, 'query'>) => {
    await run(client);
    throw new Error('disk full');
  };

  test('of two replicas one runs it', async () => {
    const won = await replicas.each((replica) => runOncePerDay(replica, 'invoices', day, run));
    expect(won.sort()).toEqual([false, true]);
    expect(await invoices()).toBe(1);
  });

  test('a run that fails leaves nothing behind, and does not count as a run', async () => {
    await expect(runOncePerDay(pool, 'invoices', day, dyingRun)).rejects.toThrow('disk full');
    expect(await invoices()).toBe(0);
    expect(await runOncePerDay(pool, 'invoices', day, run)).toBe(true);
  });

  test('the naive way runs in both, and keeps the writes of a failed run', async () => {
    expect(await replicas.together((replica) => naiveRunOncePerDay(replica, 'invoices', day, run))).toEqual([
      true,
      true,
    ]);
    expect(await invoices()).toBe(2);
    const failing = naiveRunOncePerDay(pool, 'reminders', day, dyingRun);
    await expect(failing).rejects.toThrow('disk full');
    expect(await invoices()).toBe(3);
  });
});

describe('singleton-worker', () => {
  test('one works at a time, and the other takes over when the connection of the first is gone', async () => {
    const stop = new AbortController();
    let inside = 0;
    let most = 0;
    const worked = [0, 0];
    const workers = replicas.pools.map((replica, i) =>
      singleton(
        new PostgresMutex(replica, { mode: 'session', ttlMs: 2_000 }),
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

  test('the naive way: a replica that the environment does not name never works, even if the other is gone', async () => {
    vi.stubEnv('POLLER', undefined);
    let worked = 0;
    await poll(async () => void worked++, new AbortController().signal);
    expect(worked).toBe(0);
    vi.unstubAllEnvs();
  });
});

describe('entity-command-queue', () => {
  beforeEach(async () => {
    await pool.query(commandTable);
    for (let n = 0; n < 20; n++) {
      await pool.query('insert into commands (entity, body) values ($1, $2)', [`entity ${n % 2}`, String(n)]);
    }
  });

  test('runs each command once, and commands of one entity in order', async () => {
    const handled: number[] = [];
    const handle = async (body: unknown) => {
      handled.push(body as number);
      await pause(1);
    };
    const counts = await replicas.each(
      async (replica) =>
        (await drain(replica, 'entity 0', handle)) + (await drain(replica, 'entity 1', handle)),
    );
    expect(counts[0]! + counts[1]!).toBe(20);
    for (const parity of [0, 1]) {
      const own = handled.filter((n) => n % 2 === parity);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
  });

  test('a command that fails is tried again, before those behind it', async () => {
    const handled: number[] = [];
    const refuse = () => Promise.reject(new Error('closed'));
    await expect(drain(pool, 'entity 1', refuse)).rejects.toThrow('closed');
    await drain(pool, 'entity 1', async (body) => void handled.push(body as number));
    expect(handled).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  });

  test('the naive way lets a command overtake the one before it', async () => {
    const done: number[] = [];
    let release = () => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handle = async (body: unknown) => {
      if (body === 0) await isReleased;
      done.push(body as number);
      if (done.length === 19) release();
    };
    await replicas.each((replica) => naiveDrain(replica, handle));
    expect(done.at(-1)).toBe(0);
  });
});

describe('migration-guard', () => {
  const migrations = [
    { name: '1', sql: 'create table tickets (id int primary key)' },
    { name: '2', sql: 'alter table tickets add column seat text' },
  ];

  test('two replicas that start at once apply each migration once', async () => {
    await pool.query('create table migrations (name text primary key)');
    const applied = await replicas.together((replica) => migrate(replica, migrations));
    expect(applied.flat().sort()).toEqual(['1', '2']);
    expect(await migrate(pool, [...migrations, { name: '3', sql: 'drop table tickets' }])).toEqual(['3']);
  });

  test('a migration that fails rolls back the others, and leaves no lock', async () => {
    const broken = [...migrations, { name: '3', sql: 'alter table ticket add column row text' }];
    await expect(migrate(pool, broken)).rejects.toMatchObject({ code: '42P01' });
    expect(await migrate(replicas.pools[1], migrations)).toEqual(['1', '2']);
  });

  test('the naive way: one of two replicas that start at once crashes', async () => {
    await pool.query('create table migrations (name text primary key)');
    const started = await Promise.allSettled(
      readTogether(...replicas.pools).map((replica) => naiveMigrate(replica, migrations)),
    );
    expect(started.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('fencing', () => {
  async function mutexes() {
    await pool.query(`${reports}; ${leaseTableSchema()}`);
    return replicas.pools.map((replica) => new PostgresMutex(replica, { mode: 'leaseTable', ttlMs: 300 }));
  }
  const texts = async () => (await pool.query('select text from reports')).rows;

  test('a holder that was paused while its lease ended writes nothing', async () => {
    const [slow, quick] = await mutexes();
    const paused = await slow!.acquire('report');
    block(500);
    const next = await quick!.acquire('report');
    expect(await writeFenced(replicas.pools[1], next, 'new')).toBe(true);
    expect(await writeFenced(pool, paused, 'old')).toBe(false);
    expect(await texts()).toEqual([{ text: 'new' }]);
    await next.release();
  });

  test('the naive way checks the lease, and the pause comes after the check', async () => {
    const [slow, quick] = await mutexes();
    const pausing: PostgresPool = {
      connect: () => pool.connect(),
      async query(text, values) {
        block(500);
        await quick!.run('report', (next) => write(replicas.pools[1], next, 'new'));
        return pool.query(text, values);
      },
    };
    await write(pausing, await slow!.acquire('report'), 'old');
    expect(await texts()).toEqual([{ text: 'old' }]);
  });
});

/** A pause of the process, as a debugger or a long collection makes it. */
function block(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}
