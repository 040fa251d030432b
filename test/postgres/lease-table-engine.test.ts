/** The lease table on a real PostgreSQL: rows, tokens before and behind the clock, isolation levels, the schema. */
import { leaseTableSchema, PostgresMutex, PostgresSemaphore, pruneLeases } from 'latchkey/postgres';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { LeaseTableEngine } from '../../src/postgres/lease-table-engine.js';
import { UnrenewedLeases } from '../../src/postgres/unrenewed-leases.js';
import { pause } from '../remote-locks/support/real-time.js';
import { postgresForTests } from './support/postgres-for-tests.js';
import { ScriptedPool, serverError } from './support/scripted-pool.js';

const postgres = postgresForTests({ max: 20 });
const { poolOf } = postgres;
let pool: pg.Pool;
const table = 'latchkey_leases';

beforeAll(async () => {
  pool = poolOf();
  await pool.query(leaseTableSchema());
});

let owners = 0;
function engineOf(kind: 'mutex' | 'semaphore' = 'mutex', places = 1, from: pg.Pool = pool) {
  const engine = new LeaseTableEngine(from, kind, 'latchkey', { places });
  const get = (key: string, ttlMs = 1_000, owner = `owner ${++owners}`, nowait = false) =>
    engine.acquire({ key, owner, ttlMs, nowait, signal: new AbortController().signal, lost() {} });
  return { engine, get };
}
const rowOf = async (key: string) =>
  (await pool.query(`select *, token::text from ${table} where key = $1`, [key])).rows[0];

describe('the lease table: tokens', () => {
  test('PM2, PE2: a token is the clock of the server in microseconds', async () => {
    const clock = async () =>
      BigInt(
        (await pool.query('select (extract(epoch from clock_timestamp()) * 1e6)::bigint::text as us')).rows[0]
          .us,
      );
    const before = await clock();
    const { token } = (await engineOf().get('clock')) as { token: bigint };
    expect(token >= before && token <= (await clock())).toBe(true);
    expect(await rowOf('latchkey:mutex:clock')).toMatchObject({
      owner: `owner ${owners}`,
      token: String(token),
    });
  });

  test.each([
    ['mutex', 'latchkey:mutex:ahead', 1],
    ['semaphore', 'latchkey:semaphore:ahead#0', 1],
    ['semaphore', 'latchkey:semaphore:ahead#2', 3],
  ] as const)(
    'PM2, PE2: %s: a clock behind the last token of %s changes nothing: one more',
    async (kind, key, places) => {
      const ahead = 9_000_000_000_000_000n;
      await pool.query(`delete from ${table}`);
      await pool.query(`insert into ${table} values ($1, null, $2, now())`, [key, String(ahead)]);
      const { engine, get } = engineOf(kind, places);
      expect(await get('ahead', 60_000, 'first')).toEqual({ token: ahead + 1n });
      await engine.release('ahead', 'first');
      // Whichever place it is, also one that has no row yet.
      for (let i = 1; i <= places; i++) {
        const token = ahead + 1n + BigInt(i);
        expect(await get('ahead', 60_000, `owner ${i}`)).toEqual({ token });
        // The same request again is the same grant.
        expect(await get('ahead', 60_000, `owner ${i}`)).toEqual({ token });
      }
      for (let i = 1; i <= places; i++) await engine.release('ahead', `owner ${i}`);
    },
  );

  test('PE1: a row that was released or has ended is free, in each way a row can say so', async () => {
    const { engine, get } = engineOf();
    for (const end of ["'-infinity'", "'epoch'", 'clock_timestamp()']) {
      await pool.query(
        `insert into ${table} values ('latchkey:mutex:end', 'dead', 1, ${end}) on conflict (key) do update set owner = 'dead', expires_at = ${end}`,
      );
      expect(await engine.renew('end', 'dead', 1_000)).toBe(false);
      expect(await get('end', 1_000, 'next')).toHaveProperty('token');
      await engine.release('end', 'next');
    }
    expect(await rowOf('latchkey:mutex:end')).toMatchObject({ owner: null });
  });

  test('PE6: a row that was released is free and has no holder, although the clock was set back after the release', async () => {
    const { engine, get } = engineOf();
    const [key, row] = ['set back', 'latchkey:mutex:set back'];
    await pool.query(`insert into ${table} values ($1, null, 1, now() + interval '1 h')`, [row]);
    expect(await engine.holder(key)).toBeUndefined();
    expect(await get(key, 60_000, 'next')).toHaveProperty('token');
    expect(await engine.holder(key)).toMatchObject({ owner: 'next' });
    await engine.release(key, 'next');
    // Of two places one is held: the end of the free one does not count.
    await pool.query(
      `insert into ${table} values ('latchkey:semaphore:set back#0', null, 1, now() + interval '1 s')`,
    );
    const semaphore = engineOf('semaphore', 2);
    await semaphore.get(key, 60_000, 'a');
    await semaphore.get(key, 60_000, 'b');
    expect(await semaphore.get(key)).toEqual({ freeInMs: expect.closeTo(60_000, -4) });
  });

  test('a refusal has the soonest end of the places that are held, not of those that have ended', async () => {
    await pool.query(`delete from ${table}`);
    await pool.query(
      `insert into ${table} values ('latchkey:semaphore:soon#0', null, 1, '-infinity'), ('latchkey:semaphore:soon#1', 'x', 1, now() + interval '1 h')`,
    );
    const { get } = engineOf('semaphore', 2);
    await get('soon', 5_000, 'a');
    const { freeInMs } = (await get('soon')) as { freeInMs: number };
    expect(freeInMs).toBeGreaterThan(3_000);
    expect(freeInMs).toBeLessThanOrEqual(5_000);
    expect(await get('soon', 1_000, 'b', true)).toEqual({ freeInMs: Infinity });
  });

  test('a refusal is about its own key, and a semaphore has one place unless it says more', async () => {
    await pool.query(`delete from ${table}`);
    const { get } = engineOf();
    await get('sooner', 1_000, 'a');
    await get('later', 60_000, 'b');
    expect(await get('later')).toEqual({ freeInMs: expect.closeTo(60_000, -4) });
    const semaphore = new LeaseTableEngine(pool, 'semaphore', 'latchkey');
    const ask = (owner: string) =>
      semaphore.acquire({
        key: 'one',
        owner,
        ttlMs: 60_000,
        nowait: true,
        signal: new AbortController().signal,
        lost() {},
      });
    expect(await ask('a')).toHaveProperty('token');
    expect(await ask('b')).toEqual({ freeInMs: Infinity });
  });
});

describe('the lease table, scripted', () => {
  const requestOf = (owner: string) => ({
    key: 'key',
    owner,
    ttlMs: 100,
    signal: new AbortController().signal,
    lost() {},
  });

  test('a key that was freed between two statements is free at once', async () => {
    const engine = new LeaseTableEngine(new ScriptedPool(() => undefined), 'mutex', 'latchkey');
    expect(await engine.acquire(requestOf('a'))).toEqual({ freeInMs: 0 });
  });

  test('a driver that does not count the rows has deleted none', async () => {
    const uncounted = new ScriptedPool(() => ({ rowCount: null }));
    expect(await pruneLeases(uncounted, { olderThanMs: 1 })).toBe(0);
  });

  test.each(['the grant', 'the release'])(
    'PE7: after %s nothing is remembered of the leases that were seen',
    async (end) => {
      vi.useFakeTimers();
      try {
        let isFree = false;
        const over: unknown[] = [];
        const scripted = new ScriptedPool((text, values) => {
          if (text.includes('insert into')) over.push(values![3]);
          if (text.includes('insert into')) return isFree ? { rows: [{ token: '7' }] } : undefined;
          return text.includes('as stamp') ? { rows: [{ stamp: 'other 1', ms: 100 }] } : undefined;
        });
        const engine = new LeaseTableEngine(scripted, 'mutex', 'latchkey', { trustClock: false });
        await engine.acquire(requestOf('a'));
        vi.advanceTimersByTime(100);
        await engine.acquire(requestOf('a'));
        isFree = true;
        if (end === 'the grant') await engine.acquire(requestOf('a'));
        else await engine.release('key', 'a');
        await engine.acquire(requestOf('a'));
        expect(over[1]).toEqual(['other 1']);
        expect(over.at(-1)).toEqual([]);
      } finally {
        vi.useRealTimers();
      }
    },
  );
});

describe('the lease table: the application', () => {
  test.each(['repeatable read', 'serializable'])('PE5: works with %s as the default level', async (level) => {
    const from = poolOf({ options: `-c default_transaction_isolation=${level.replace(' ', '\\ ')}` });
    const mutexes = [1, 2].map(() => new PostgresMutex(from, { mode: 'leaseTable', ttlMs: 5_000 }));
    let inside = 0;
    const task = async () => {
      expect(++inside).toBe(1);
      await pause(1);
      inside--;
    };
    await Promise.all(Array.from({ length: 40 }, (_, i) => mutexes[i % 2]!.run(`level ${level}`, task)));
    const semaphores = [1, 2].map(() => new PostgresSemaphore(from, 2, { name: level, ttlMs: 5_000 }));
    await Promise.all(Array.from({ length: 40 }, (_, i) => semaphores[i % 2]!.run(() => pause(1))));
  });

  test('PE5: a conflict is tried again, and nothing else is', async () => {
    let statements = 0;
    const scripted = new ScriptedPool(() => {
      if (++statements < 3) throw serverError('40001');
      return { rowCount: 1 };
    });
    const engine = new LeaseTableEngine(scripted, 'mutex', 'latchkey');
    expect(await engine.renew('key', 'owner', 1_000)).toBe(true);
    expect(statements).toBe(3);
    const broken = new ScriptedPool(() => {
      statements++;
      throw serverError('42P01');
    });
    await expect(
      new LeaseTableEngine(broken, 'mutex', 'latchkey').release('key', 'owner'),
    ).rejects.toMatchObject({ code: '42P01' });
    expect(statements).toBe(4);
  });

  test.each([
    [{ options: { max: 3 } }, 3],
    [{ options: { max: 2.5 } }, 2],
    [{ options: { max: 0 } }, 10],
    [{ options: { max: '5' } }, 10],
    [{ options: {} }, 10],
    [{}, 10],
  ])('as many requests at once as the pool has connections: %o', (more, expected) => {
    const from = Object.assign(new ScriptedPool(() => undefined), more);
    expect(new LeaseTableEngine(from, 'mutex', 'latchkey').maxRequests).toBe(expected);
  });

  test('two thousand keys at once, with a time to live that is shorter than all of it takes: none is refused', async () => {
    const mutex = new PostgresMutex(poolOf({ max: 2 }), { mode: 'leaseTable', ttlMs: 1_000 });
    expect(
      await Promise.all(Array.from({ length: 2_000 }, (_, i) => mutex.run(`many ${i}`, () => 1))),
    ).toHaveLength(2_000);
  });
});

describe('the lease table: a clock of the server that is set', () => {
  const later = (key: string, interval: string) =>
    pool.query(`update ${table} set expires_at = expires_at - $2::interval where key like $1`, [
      `latchkey:%:${key}%`,
      interval,
    ]);

  test.each([
    [true, 'another process takes the key, with a larger token'],
    [false, 'the holder keeps the key'],
  ])('PE7: trustClock %s, ahead by an hour: %s', async (trustClock) => {
    const options = { mode: 'leaseTable', trustClock } as const;
    const [one, other] = [new PostgresMutex(pool, options), new PostgresMutex(pool, options)];
    const key = `ahead ${trustClock}`;
    const lease = await one.acquire(key);
    await later(key, '1 h');
    const taken = await other.acquire(key, { waitTimeoutMs: 4_000 }).catch(() => undefined);
    if (trustClock) expect(taken!.token > lease.token).toBe(true);
    else {
      expect(taken).toBeUndefined();
      expect(lease.signal.aborted).toBe(false);
    }
    await taken?.release();
    await lease.release();
    expect(await other.run(key, () => 'free')).toBe('free');
  });

  test.each([
    ['mutex', 1, '-1 h'],
    ['mutex', 1, '1 h'],
    ['semaphore', 2, '1 h'],
  ] as const)(
    'PE7: a holder that does not renew loses its %s of %d place(s) to a waiter, the clock set by %s',
    async (kind, places, interval) => {
      const settings = { trustClock: false, places };
      const [engine, other] = [1, 2].map(() => new LeaseTableEngine(pool, kind, 'latchkey', settings)) as [
        LeaseTableEngine,
        LeaseTableEngine,
      ];
      const key = `dead ${kind} ${interval}`;
      const requestOf = (owner: string, more = {}) => ({
        key,
        owner,
        ttlMs: 400,
        signal: new AbortController().signal,
        lost() {},
        ...more,
      });
      for (let i = 1; i <= places; i++)
        expect(await engine.acquire(requestOf(`holder ${i}`))).toHaveProperty('token');
      // A second request of the same waiter would see the same lease: each waiter has its own watch.
      expect(await other.acquire(requestOf('watch'))).toEqual({ freeInMs: expect.any(Number) });
      await later(key, interval);
      const startedMs = performance.now();
      const first = await other.acquire(requestOf('waiter'));
      expect(first).toEqual({ freeInMs: expect.any(Number) });
      expect((first as { freeInMs: number }).freeInMs).toBeGreaterThanOrEqual(390);
      if (kind === 'mutex') {
        const leftMs = interval === '1 h' ? 0 : expect.closeTo(3_600_000, -4);
        expect(await other.holder(key)).toMatchObject({ owner: 'holder 1', leftMs });
      }
      // A renewal starts the time over.
      await pause(200);
      for (let i = 1; i <= places; i++) expect(await engine.renew(key, `holder ${i}`, 400)).toBe(true);
      const renewedMs = performance.now();
      expect(await other.acquire(requestOf('trying', { nowait: true }))).toEqual({ freeInMs: Infinity });
      let answer = await other.acquire(requestOf('waiter'));
      while (!('token' in answer)) {
        await pause(Math.min(answer.freeInMs, 50));
        answer = await other.acquire(requestOf('waiter'));
      }
      expect(performance.now() - renewedMs).toBeGreaterThanOrEqual(400);
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(600);
      const renewals = await Promise.all(
        Array.from({ length: places }, (_, i) => engine.renew(key, `holder ${i + 1}`, 400)),
      );
      expect(renewals.filter((isOurs) => isOurs)).toHaveLength(places - 1);
      await other.release(key, 'waiter');
    },
  );
});

describe('UnrenewedLeases', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('PE7: counts from the first look, for the longer of both times to live; a new stamp starts over', () => {
    const leases = new UnrenewedLeases();
    expect(leases.saw('us', [{ stamp: 'a 1', ms: '-3600000' }], 1_000)).toBe(1_000);
    vi.advanceTimersByTime(999);
    expect(leases.over('us')).toEqual([]);
    expect(leases.saw('us', [{ stamp: 'a 1', ms: -1 }], 1_000)).toBe(1);
    vi.advanceTimersByTime(1);
    expect(leases.over('us')).toEqual(['a 1']);
    expect(leases.over('others')).toEqual([]);
    expect(
      leases.saw(
        'us',
        [
          { stamp: 'a 1', ms: -1 },
          { stamp: 'b 1', ms: 0 },
        ],
        1_000,
      ),
    ).toBe(0);
    expect(leases.saw('us', [{ stamp: 'a 2', ms: 5_000 }], 1_000)).toBe(5_000);
    vi.advanceTimersByTime(4_999);
    expect(leases.over('us')).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(leases.over('us')).toEqual(['a 2']);
    leases.forget('us');
    expect(leases.over('us')).toEqual([]);
  });

  test('PE7: a wall clock that is set does not shorten the time', () => {
    const leases = new UnrenewedLeases();
    leases.saw('us', [{ stamp: 'a', ms: 0 }], 1_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(leases.over('us')).toEqual([]);
  });
});

describe('the lease table: the schema', () => {
  test('twenty processes that create it at once all succeed, also a second time, and in transactions', async () => {
    const create = (name: string) => Array.from({ length: 20 }, () => pool.query(leaseTableSchema(name)));
    await Promise.all(create('fresh_leases'));
    await Promise.all(create('fresh_leases'));
    await pool.query(`insert into fresh_leases values ('a', null, 1, now())`);
    await pool.query('begin; create table if not exists other (n int); rollback');
  });

  test('a role that may use the table but not create one can run it', async () => {
    // Before PostgreSQL 15, every role may create tables in this schema.
    await postgres.server.admin('revoke create on schema public from public');
    await postgres.server.admin('create role reader login');
    await postgres.server.admin('grant select, insert, update on latchkey_leases to reader');
    const from = poolOf({ user: 'reader' });
    await from.query(leaseTableSchema());
    await expect(from.query(leaseTableSchema('not_there'))).rejects.toMatchObject({ code: '42501' });
    expect(await new PostgresMutex(from, { mode: 'leaseTable' }).run('reader', () => 1)).toBe(1);
  });
});

describe('pruneLeases', () => {
  test('deletes rows that ended long enough ago; rows that are held, recent or ahead of the clock stay', async () => {
    await pool.query(`delete from ${table}`);
    await pool.query(`insert into ${table} values
      ('old', null, 1, now() - interval '2 h'), ('dead', 'x', 1, now() - interval '2 h'), ('forgotten', null, 1, '-infinity'),
      ('recent', null, 1, now() - interval '30 min'), ('held', 'x', 1, now() + interval '1 h'),
      ('ahead', null, 9000000000000000, now() - interval '2 h')`);
    expect(await pruneLeases(pool, { olderThanMs: 3_600_000 })).toBe(3);
    const { rows } = await pool.query(`select key from ${table} order by key`);
    expect(rows.map(({ key }) => key)).toEqual(['ahead', 'held', 'recent']);
    expect(await pruneLeases(pool, { olderThanMs: 3_600_000 })).toBe(0);
  });

  test('of another table; bad options are refused by name', async () => {
    await pool.query(leaseTableSchema('others'));
    await pool.query("insert into others values ('a', null, 1, '-infinity')");
    expect(await pruneLeases(pool, { olderThanMs: 0, table: 'others' })).toBe(1);
    await expect(pruneLeases(pool, {} as never)).rejects.toThrow('olderThanMs');
    await expect(pruneLeases(pool, { olderThanMs: Infinity })).rejects.toThrow('olderThanMs must be finite');
    await expect(pruneLeases(pool, { olderThanMs: 1, table: 'A' })).rejects.toThrow('table');
  });
});

test('PE4: keys that the table could not hold or tell apart are refused by name; long ones are stored as a hash', async () => {
  const mutex = new PostgresMutex(pool, { mode: 'leaseTable' });
  await expect(mutex.acquire('a\0')).rejects.toThrow('key must not contain NUL');
  await expect(mutex.acquire('\ud800')).rejects.toThrow('key must not contain');
  expect(() => new PostgresMutex(pool, { mode: 'leaseTable', namespace: '\0' })).toThrow('namespace');
  expect(() => new PostgresSemaphore(pool, 1, { name: '\udfff' })).toThrow('name');
  await mutex.run('x'.repeat(100_000), () => {});
  expect((await pool.query(`select max(length(key)) as n from ${table}`)).rows[0].n).toBeLessThan(120);
});
