/** Locks on a real PostgreSQL, in both modes; through a pooler; and with their connections killed. */
import { WaitTimeoutError } from 'latchkey';
import { leaseTableSchema, PostgresMutex, PostgresSemaphore } from 'latchkey/postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oneAtATime } from '../remote-locks/support/one-at-a-time.js';
import { lossOf, lossReasons, pause, until } from '../remote-locks/support/real-time.js';
import { TcpProxy } from '../remote-locks/support/tcp-proxy.js';
import { startPgbouncer } from '../support/engines/pgbouncer.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';

let server: PostgresServer;
let pool: pg.Pool;
let keys = 0;
const newKey = () => `key ${++keys}`;

beforeAll(async () => {
  server = await startPostgres();
  pool = poolAt(server.connectionOptions);
  await pool.query(leaseTableSchema());
});
afterAll(async () => {
  await pool.end();
  await server[Symbol.asyncDispose]();
});

function poolAt(address: pg.PoolConfig): pg.Pool {
  const made = new pg.Pool({ ...address, max: 30 });
  made.on('error', () => {});
  return made;
}

/** To PostgreSQL, two objects are two processes. */
function mutexes(mode: 'session' | 'leaseTable', ttlMs = 3_000) {
  return [1, 2].map(() => new PostgresMutex(pool, { mode, ttlMs })) as [PostgresMutex, PostgresMutex];
}

const advisoryLocks = async () => {
  const rows = await server.admin<{ n: number }>(
    "select count(*)::int as n from pg_locks where locktype = 'advisory'",
  );
  return rows[0]?.n;
};

describe.each(['session', 'leaseTable'] as const)('postgres mutex, mode %s', (mode) => {
  test('PM2: one at a time over all objects; tokens grow with every grant', async () => {
    const [one, other] = mutexes(mode);
    await oneAtATime(one, other, newKey());
  });

  test('an abort rejects with its reason, and a lock that is granted too late is freed', async () => {
    const [one, other] = mutexes(mode);
    const key = newKey();
    const lease = await one.acquire(key);
    const controller = new AbortController();
    const wait = other.acquire(key, { signal: controller.signal });
    setTimeout(() => controller.abort('enough'), 50);
    await expect(wait).rejects.toBe('enough');
    await lease.release();
    await until(async () => (await advisoryLocks()) === 0);
    expect(await one.run(key, () => 'free')).toBe('free');
  });

  test('the error of a timeout has the key', async () => {
    const [one, other] = mutexes(mode);
    const key = newKey();
    const lease = await one.acquire(key);
    const wait = other.acquire(key, { waitTimeoutMs: 100 });
    await expect(wait).rejects.toBeInstanceOf(WaitTimeoutError);
    await expect(wait).rejects.toMatchObject({ key });
    await lease.release();
  });

  test('the result or error of the task passes through, and the key is free afterwards', async () => {
    const [one, other] = mutexes(mode);
    const key = newKey();
    const failure = new Error('of the task');
    expect(await one.run(key, () => 7)).toBe(7);
    await expect(one.run(key, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await other.run(key, () => 8)).toBe(8);
  });

  test('a PostgreSQL that is down is an error of the callers, until it is back', async () => {
    await using other = await startPostgres();
    const own = poolAt(other.connectionOptions);
    await own.query(leaseTableSchema());
    const mutex = new PostgresMutex(own, { mode, ttlMs: 1_000 });
    await mutex.run('key', () => {});
    await other.stop();
    await expect(mutex.acquire('key')).rejects.toThrow();
    await other.start();
    await until(async () => (await mutex.run('key', () => 'back').catch(() => '')) === 'back');
    await own.end();
  });
});

describe('postgres mutex, mode session: faults', () => {
  test('a connection that is killed is a loss at once, the result is kept, and the key is free', async () => {
    const [one, other] = mutexes('session');
    const key = newKey();
    const run = one.run(key, async (lease) => {
      await server.admin(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted",
      );
      expect(await lossOf(lease.signal)).toContain(lossReasons.session);
      return 'RESULT';
    });
    await expect(run).resolves.toBe('RESULT');
    expect(await other.run(key, () => 'next')).toBe('next');
  });

  test('RL1: a network that swallows everything is a loss before the deadline, and the result is kept', async () => {
    await using proxy = await TcpProxy.before(server.connectionOptions);
    const far = poolAt({ ...server.connectionOptions, port: proxy.port });
    const mutex = new PostgresMutex(far, { mode: 'session', ttlMs: 1_000 });
    const run = mutex.run(newKey(), async (lease) => {
      proxy.isBlackHole = true;
      expect(await lossOf(lease.signal, 1_100)).toContain(lossReasons.deadline);
      return 'RESULT';
    });
    await expect(run).resolves.toBe('RESULT');
  });

  test('SE2: no lock, no connection and no setting is left behind by the tests above', async () => {
    await until(async () => (await advisoryLocks()) === 0 && pool.totalCount === pool.idleCount);
    const settings = ['lock_timeout', 'idle_session_timeout'];
    const shown = await Promise.all(
      Array.from({ length: pool.totalCount }, async () => {
        const { rows } = await pool.query(
          'select name from pg_settings where name = any ($1) and setting <> reset_val',
          [settings],
        );
        return rows;
      }),
    );
    expect(shown.flat()).toEqual([]);
  });

  test('SE5: behind a pooler that moves clients between connections it rejects, and the error names alternatives', async () => {
    await using bouncer = await startPgbouncer(server);
    const pooled = poolAt(bouncer.connectionOptions);
    const session = new PostgresMutex(pooled, { mode: 'session' });
    await expect(session.acquire('key')).rejects.toMatchObject({ code: 'ERR_POOLER' });
    await expect(session.acquire('key')).rejects.toThrow('leaseTable');
    const table = [1, 2].map(() => new PostgresMutex(pooled, { mode: 'leaseTable' }));
    let inside = 0;
    const runs = Array.from({ length: 20 }, (_, i) =>
      table[i % 2]!.run('pooled', async () => {
        expect(++inside).toBe(1);
        await pause(1);
        inside--;
      }),
    );
    await Promise.all(runs);
    await pooled.end();
  });

  test.each([
    ['a connection per key', false],
    ['one connection', true],
  ])(
    'SE5: behind a pooler that keeps connections, with trustPooler: one at a time, with %s',
    async (_, shareConnection) => {
      await using bouncer = await startPgbouncer(server, 'session');
      const pooled = poolAt({ ...bouncer.connectionOptions });
      const options = { mode: 'session', shareConnection } as const;
      await expect(new PostgresMutex(pooled, options).acquire('key')).rejects.toMatchObject({
        code: 'ERR_POOLER',
      });
      const make = () => new PostgresMutex(pooled, { ...options, trustPooler: true });
      await oneAtATime(make(), make(), newKey());
      await pooled.end();
      await until(async () => (await advisoryLocks()) === 0);
    },
  );

  test('SE4: a time to live that is not shorter than the lock of a dead connection is refused', () => {
    expect(() => new PostgresMutex(pool, { mode: 'session', ttlMs: 25_000 })).toThrow('ttlMs');
    expect(() => new PostgresMutex(pool, { mode: 'session', ttlMs: 24_999 })).not.toThrow();
  });
});

describe('postgres mutex, mode leaseTable: faults', () => {
  test('PM1, PE3: a row that another owner has taken is a loss with the next renewal, and its lock is not freed', async () => {
    const [one, other] = mutexes('leaseTable', 1_000);
    const key = newKey();
    const lease = await one.acquire(key);
    await pool.query("update latchkey_leases set owner = null, expires_at = '-infinity' where key = $1", [
      `latchkey:mutex:${key}`,
    ]);
    const next = await other.acquire(key);
    expect(next.token).toBeGreaterThan(lease.token);
    expect(await lossOf(lease.signal)).toContain(lossReasons.renewal);
    await lease.release();
    await expect(one.acquire(key, { waitTimeoutMs: 100 })).rejects.toBeInstanceOf(WaitTimeoutError);
    await next.release();
  });

  test('PE1: a silent holder loses its lease before another process gets it', async () => {
    const [one, other] = mutexes('leaseTable', 1_000);
    const key = newKey();
    const lease = await one.acquire(key);
    const untilMs = performance.now() + 1_500;
    while (performance.now() < untilMs);
    expect(lease.signal.aborted).toBe(true);
    expect(await other.run(key, () => 'next')).toBe('next');
  });

  test('a fence keeps out a holder that has lost the lock; without the fence it overwrites', async () => {
    await pool.query('create table reports (id int primary key, text text, fence bigint not null default 0)');
    await pool.query('insert into reports values (1)');
    const [one, other] = mutexes('leaseTable', 500);
    const key = newKey();
    const write = (text: string, token: bigint) =>
      pool.query('update reports set text = $1, fence = $2 where id = 1 and fence <= $2', [
        text,
        String(token),
      ]);
    const paused = await one.acquire(key);
    const untilMs = performance.now() + 800;
    while (performance.now() < untilMs);
    const next = await other.acquire(key);
    expect((await write('new', next.token)).rowCount).toBe(1);
    expect((await write('old', paused.token)).rowCount).toBe(0);
    await pool.query("update reports set text = 'old' where id = 1");
    expect((await pool.query('select text from reports')).rows[0].text).toBe('old');
    await next.release();
  });

  test('the name of a table that would have to be quoted is refused', () => {
    expect(() => leaseTableSchema('leases; drop table users')).toThrow('table');
    const options = { mode: 'leaseTable', table: 'Leases' } as const;
    expect(() => new PostgresMutex(pool, options)).toThrow('table');
    expect(() => new PostgresMutex(pool, { mode: 'best' as never })).toThrow('mode');
  });
});

describe('postgres semaphore', () => {
  test('PS1: at most three at a time over all objects, and all of them in the end', async () => {
    const options = { name: newKey(), ttlMs: 2_000 };
    const semaphores = [1, 2].map(() => new PostgresSemaphore(pool, 3, options));
    let inside = 0;
    let most = 0;
    const task = async () => {
      most = Math.max(most, ++inside);
      await pause(5);
      inside--;
    };
    await Promise.all(Array.from({ length: 30 }, (_, i) => semaphores[i % 2]!.run(task)));
    expect(most).toBe(3);
    await Promise.all(semaphores.map((semaphore) => semaphore.releaseAll()));
    const { rows } = await pool.query(
      "select 1 from latchkey_leases where owner is not null and key like '%#%'",
    );
    expect(rows).toHaveLength(0);
  });

  test('bad arguments are refused by name', () => {
    expect(() => new PostgresSemaphore(pool, Infinity, { name: 'a' })).toThrow('limit');
    expect(() => new PostgresSemaphore(pool, 1, {} as never)).toThrow('name');
    expect(() => new PostgresSemaphore(null as never, 1, { name: 'a' })).toThrow('pool');
  });
});
