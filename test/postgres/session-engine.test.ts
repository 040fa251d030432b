/** Session locks on a real PostgreSQL: the fate of the lock, the connection and its settings; and on a scripted one. */
import { PostgresMutex } from 'latchkey/postgres';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { advisoryKey } from '../../src/postgres/advisory-lock.js';
import { SessionEngine } from '../../src/postgres/session-engine.js';
import { SharedSessionEngine } from '../../src/postgres/shared-session-engine.js';
import type { LeaseEngine } from '../../src/remote-locks/lease-engine.js';
import { lossOf, lossReasons, pause, until } from '../remote-locks/support/real-time.js';
import { TcpProxy } from '../remote-locks/support/tcp-proxy.js';
import { postgresForTests } from './support/postgres-for-tests.js';
import {
  got,
  never,
  requestOf,
  type Steps,
  scriptedSessions,
  sent,
  turnsUntil,
} from './support/scripted-sessions.js';

describe('session locks on PostgreSQL', () => {
  const postgres = postgresForTests();
  const { poolOf } = postgres;
  const advisoryLocks = async () => {
    const rows = await postgres.server.admin<{ granted: boolean; pid: number }>(
      "select granted, pid from pg_locks where locktype = 'advisory'",
    );
    return { held: rows.filter(({ granted }) => granted), waiting: rows.filter(({ granted }) => !granted) };
  };

  type Make = (pool: pg.Pool) => LeaseEngine;
  const perKey: Make = (pool) => new SessionEngine(pool, 'stress');
  const shared: Make = (pool) => new SharedSessionEngine(pool, 'stress', false);

  let crowded: pg.Pool | undefined;
  // An engine with one connection does not wait in PostgreSQL: it asks at the end of the slice.
  test.each([
    ['a connection per key', perKey, perKey],
    ['a holder with one connection, a waiter with one per key', shared, perKey],
    ['one connection', shared, shared],
  ])(
    'SE1, SS3: releases aimed at the ends of slices leave no lock without a holder: %s',
    { timeout: 300_000 },
    async (name, ofHolder, ofWaiter) => {
      const rounds = Number(process.env['LATCHKEY_STRESS_ROUNDS'] ?? 70);
      crowded ??= poolOf({ max: 40 });
      const pool = crowded;
      const [one, other] = [ofHolder(pool), ofWaiter(pool)];
      const sliceMs = 100;
      // A time to live this short leaves no time to open connections.
      const opened = await Promise.all(Array.from({ length: 40 }, () => pool.connect()));
      for (const client of opened) client.release();
      let late = 0;
      let granted = 0;
      const aimed = async (key: string, round: number) => {
        const request = (owner: string) => requestOf(owner, { key, ttlMs: 2 * sliceMs });
        // On a busy machine a request may fail for lack of time: it must leave nothing behind either.
        const failed = () => ({ freeInMs: 0 });
        await one.acquire(request(`${key} holder ${round}`)).catch(failed);
        const waiting = (ofWaiter === shared ? pause(sliceMs) : Promise.resolve())
          .then(() => other.acquire(request(`${key} waiter ${round}`)))
          .catch(failed);
        await pause(sliceMs - 6 + 12 * Math.random());
        await one.release(key, `${key} holder ${round}`).catch(failed);
        if ('token' in (await waiting)) granted++;
        else late++;
        await other.release(key, `${key} waiter ${round}`).catch(failed);
      };
      for (let round = 0; round < rounds; round++) {
        await Promise.all(Array.from({ length: 15 }, (_, i) => aimed(`key ${i}`, round)));
      }
      expect(granted).toBeGreaterThan(0);
      await until(async () => (await advisoryLocks()).waiting.length === 0);
      expect(await advisoryLocks()).toEqual({ held: [], waiting: [] });
      expect(pool.idleCount).toBe(pool.totalCount);
      if (process.env['LATCHKEY_STRESS_ROUNDS'])
        console.log(`${name}: ${15 * rounds} releases, ${late} waits ended without the lock`);
    },
  );

  test('SE1: a lock that is granted as its timeout fires is a grant', async () => {
    const pool = poolOf();
    const [one, other] = [new SessionEngine(pool, 'fires'), new SessionEngine(pool, 'fires')];
    // Slices of two seconds.
    await one.acquire(requestOf('a', { ttlMs: 20_000 }));
    const waiting = other.acquire(requestOf('b', { ttlMs: 20_000 }));
    await until(async () => (await advisoryLocks()).waiting.length === 1);
    const { pid } = (await advisoryLocks()).waiting[0]!;
    // The waiting backend sleeps through the release and the end of its slice, as on a busy machine.
    process.kill(pid, 'SIGSTOP');
    await one.release('key', 'a');
    await pause(2_300);
    process.kill(pid, 'SIGCONT');
    expect(await waiting).toHaveProperty('token');
    expect(await other.release('key', 'b')).toBe(true);
    expect((await advisoryLocks()).held).toEqual([]);
  });

  test('SE2: the settings of the application are in force again after the release, and after a wait that ended', async () => {
    const options =
      '-c lock_timeout=7s -c statement_timeout=8s -c idle_session_timeout=90s -c tcp_keepalives_idle=77';
    const pool = poolOf({ max: 1, options });
    const shown = async (from: { query: pg.Pool['query'] }) =>
      (
        await from.query(`select name, setting from pg_settings where name = any ($1) order by name`, [
          [
            'lock_timeout',
            'statement_timeout',
            'idle_session_timeout',
            'tcp_keepalives_idle',
            'tcp_keepalives_count',
          ],
        ])
      ).rows;
    const before = await shown(pool);
    const mutex = new PostgresMutex(pool, { mode: 'session', ttlMs: 600 });
    await (await mutex.acquire('settings')).release();
    expect(await shown(pool)).toEqual(before);
    const holder = await new PostgresMutex(poolOf(), { mode: 'session' }).acquire('settings');
    await expect(mutex.acquire('settings', { waitTimeoutMs: 400 })).rejects.toMatchObject({
      code: 'ERR_WAIT_TIMEOUT',
    });
    await until(async () => pool.idleCount === 1);
    expect(await shown(pool)).toEqual(before);
    await holder.release();
    // Nor does anything of ours stay on the connection.
    const ours = ['got', 'lock_timeout', 'statement_timeout'];
    const left = ours.map((name) => `coalesce(current_setting('latchkey.${name}', true), '')`).join(' || ');
    expect((await pool.query(`select ${left} as left`)).rows).toEqual([{ left: '' }]);
  });

  test('SE2: while it is held, the session neither ends for idleness nor outlives its client', async () => {
    const pool = poolOf({ max: 1, options: '-c idle_session_timeout=300' });
    const mutex = new PostgresMutex(pool, { mode: 'session', ttlMs: 10_000 });
    const lease = await mutex.acquire('idle');
    await pause(700);
    expect(lease.signal.aborted).toBe(false);
    await lease.release();
  });

  test.each([
    ['statement_timeout', { statement_timeout: 300 }],
    ['query_timeout of the driver', { query_timeout: 300 }],
  ])('%s does not end a wait', async (_name, options) => {
    const holder = await new PostgresMutex(poolOf(), { mode: 'session' }).acquire('long');
    const wait = new PostgresMutex(poolOf(options), { mode: 'session', ttlMs: 5_000 }).acquire('long');
    await pause(1_000);
    await holder.release();
    await (await wait).release();
  });

  test('a standing waiter writes no error into the log of the server', async () => {
    const mutex = (ttlMs: number) => new PostgresMutex(poolOf(), { mode: 'session', ttlMs });
    const logged = async (text: string) => {
      await postgres.server.admin(`do $$ begin raise log '${text}'; end $$`);
      await until(async () => postgres.server.log.includes(`LOG:  ${text}`));
      return postgres.server.log.slice(0, postgres.server.log.indexOf(`LOG:  ${text}`));
    };
    const holder = await mutex(20_000).acquire('log');
    const before = await logged('the wait begins');
    // Slices of half a second.
    await expect(mutex(1_000).acquire('log', { waitTimeoutMs: 1_200 })).rejects.toMatchObject({
      code: 'ERR_WAIT_TIMEOUT',
    });
    await until(async () => (await advisoryLocks()).waiting.length === 0);
    const since = (await logged('the wait has ended')).slice(before.length);
    expect(since).not.toContain('ERROR');
    // So that this test can fail.
    await expect(postgres.server.admin('select 1 / 0')).rejects.toThrow();
    expect(await logged('an error')).toContain('ERROR:  division by zero');
    await holder.release();
  });

  test('SE3: after a network that swallows everything, the connection is closed and its place in the pool is free', async () => {
    await using proxy = await TcpProxy.before(postgres.server.connectionOptions);
    const pool = poolOf({ port: proxy.port, max: 1 });
    const mutex = new PostgresMutex(pool, { mode: 'session', ttlMs: 600 });
    const lease = await mutex.acquire('far');
    proxy.isBlackHole = true;
    expect(await lossOf(lease.signal, 700)).toContain(lossReasons.deadline);
    await until(async () => pool.totalCount === 0);
  });

  test('a pool that has no connection: the error says so, for callers with a timeout and without', async () => {
    const pool = poolOf({ max: 2 });
    const mutex = new PostgresMutex(pool, { mode: 'session', ttlMs: 500 });
    const held = [await mutex.acquire('a'), await mutex.acquire('b')];
    const hint = 'no connection of the pool was free: of 2, this mutex uses 2';
    await expect(mutex.acquire('c', { waitTimeoutMs: 50 })).rejects.toThrow(hint);
    const wait = mutex.acquire('c');
    await expect(wait).rejects.toMatchObject({ code: 'ERR_NO_CONNECTION' });
    await expect(wait).rejects.toThrow(hint);
    await Promise.all(held.map((lease) => lease.release()));
    await mutex.run('c', () => {});
    await until(async () => pool.idleCount === pool.totalCount && pool.waitingCount === 0);
    expect((await advisoryLocks()).held).toEqual([]);
  });

  test('a session lock and lockedTransaction of one name exclude each other; other namespaces do not', async () => {
    const pool = poolOf();
    const { lockedTransaction } = await import('latchkey/postgres');
    const lease = await new PostgresMutex(pool, { mode: 'session' }).acquire('both');
    await expect(lockedTransaction(pool, 'both', () => 1, { waitTimeoutMs: 50 })).rejects.toThrow('gave up');
    expect(await lockedTransaction(pool, 'both', () => 1, { namespace: 'other' })).toBe(1);
    await lease.release();
  });

  test('the number of a lock is the same in every version, so that processes of two versions exclude each other', async () => {
    expect(await advisoryKey('latchkey', 'invoices')).toBe('1705350191065634645');
    const lease = await new PostgresMutex(poolOf(), { mode: 'session' }).acquire('invoices');
    const sql =
      "select ((classid::bigint << 32) | objid::bigint)::text as lock from pg_locks where locktype = 'advisory'";
    expect(await postgres.server.admin(sql)).toEqual([{ lock: '1705350191065634645' }]);
    await lease.release();
  });

  test('the holder is the session that holds the lock: not one that waits for it, and not one of another database', async () => {
    await postgres.server.admin('create database elsewhere');
    const [one, other, elsewhere] = [{}, {}, { database: 'elsewhere' }].map(
      (options) => new PostgresMutex(poolOf({ application_name: 'shop', ...options }), { mode: 'session' }),
    ) as [PostgresMutex, PostgresMutex, PostgresMutex];
    // Numbers of both signs.
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const far = await elsewhere.acquire(key);
      expect(await one.holder(key)).toBeUndefined();
      const lease = await one.acquire(key);
      const here = 'database = (select oid from pg_database where datname = $1) and granted';
      const [row] = await postgres.server.admin<{ pid: number }>(
        `select pid from pg_locks where locktype = 'advisory' and ${here}`,
        [postgres.server.connectionOptions.database],
      );
      const waiting = other.acquire(key);
      await until(async () => (await advisoryLocks()).waiting.length === 1);
      expect(await other.holder(key)).toEqual({
        owner: `shop backend ${row!.pid}`,
        heldMs: undefined,
        leftMs: Infinity,
      });
      await lease.release();
      await (await waiting).release();
      await far.release();
    }
  });
});

describe('session locks on a scripted PostgreSQL', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const engineOf = (steps: Steps) => {
    const pool = scriptedSessions(steps);
    return { pool, engine: new SessionEngine(pool, 'latchkey') };
  };

  test('SE1: an answer that is lost closes the connection, and its lock with it', async () => {
    const { pool, engine } = engineOf({ take: () => Promise.reject(new Error('reset')) as never });
    await expect(engine.acquire(requestOf('a'))).rejects.toThrow('reset');
    expect(pool.released).toEqual([true]);
    expect(pool.listeners.size).toBe(1);
  });

  test('SE3: a server that does not answer is given up after two seconds, and after the slice', async () => {
    const silent = engineOf({ take: never });
    const first = silent.engine.acquire(requestOf('a')).catch((error) => error);
    await sent(silent.pool, 'pg_try_advisory_lock');
    await vi.advanceTimersByTimeAsync(2_000);
    expect((await first).code).toBe('ERR_ATTEMPT_TIMEOUT');
    expect(silent.pool.released).toEqual([true]);
    const waits = engineOf({ take: () => got(false), wait: never });
    const second = waits.engine.acquire(requestOf('a', { ttlMs: 1_000 })).catch((error) => error);
    await sent(waits.pool, 'do $$');
    await vi.advanceTimersByTimeAsync(2_400);
    expect(waits.pool.released).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect((await second).code).toBe('ERR_ATTEMPT_TIMEOUT');
    expect(waits.pool.released).toEqual([true]);
  });

  test('SE3: an unlock that is not answered closes the connection after two seconds', async () => {
    const { pool, engine } = engineOf({ unlock: never });
    await engine.acquire(requestOf('a', { ttlMs: 20_000 }));
    const release = engine.release('key', 'a').catch((error) => error);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(pool.released).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await release;
    expect(pool.released).toEqual([true]);
  });

  test('SE3: a connection that has not answered for a time to live gets no more statements', async () => {
    const { pool, engine } = engineOf({ ping: never });
    await engine.acquire(requestOf('a'));
    void engine.renew('key', 'a');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await engine.release('key', 'a')).toBe(false);
    expect(pool.released).toEqual([true]);
    expect(pool.statements.some((text) => text.includes('unlock'))).toBe(false);
  });

  test('a release waits for the renewal that is under way, because a driver may not queue commands', async () => {
    let answer = () => {};
    const ping = () => new Promise<never>((resolve) => (answer = resolve as never));
    const { pool, engine } = engineOf({ ping });
    await engine.acquire(requestOf('a'));
    const renewal = engine.renew('key', 'a');
    const release = engine.release('key', 'a');
    await vi.advanceTimersByTimeAsync(500);
    expect(pool.statements.at(-1)).toBe('select 1');
    answer();
    expect(await release).toBe(true);
    expect(await renewal).toBe(false);
    expect(pool.statements.at(-1)).toContain('pg_advisory_unlock');
    expect(pool.released).toEqual([false]);
  });

  test('a renewal that was answered keeps the connection alive', async () => {
    const { pool, engine } = engineOf({});
    await engine.acquire(requestOf('a'));
    await vi.advanceTimersByTimeAsync(900);
    expect(await engine.renew('key', 'a')).toBe(true);
    await vi.advanceTimersByTimeAsync(900);
    expect(await engine.release('key', 'a')).toBe(true);
    expect(pool.released).toEqual([false]);
    expect(pool.listeners.size).toBe(0);
  });

  test('SE3: the last command that was answered proves that the connection is alive, also one that asked for the lock', async () => {
    let answer = (_taken: never) => {};
    const { pool, engine } = engineOf({ take: () => new Promise<never>((resolve) => (answer = resolve)) });
    const acquire = engine.acquire(requestOf('a'));
    await sent(pool, 'pg_try_advisory_lock');
    await vi.advanceTimersByTimeAsync(900);
    // Refused; so it waits for a slice, and is granted at once.
    answer(got(false));
    await acquire;
    await vi.advanceTimersByTimeAsync(400);
    expect(await engine.release('key', 'a')).toBe(true);
    expect(pool.released).toEqual([false]);
  });

  test('SE1: an unlock that is answered false, or fails, closes the connection', async () => {
    const answered = engineOf({ unlock: () => [{ rows: [{ freed: false }] }, {}] as never });
    await answered.engine.acquire(requestOf('a'));
    expect(await answered.engine.release('key', 'a')).toBe(false);
    const failing = engineOf({ unlock: () => Promise.reject(new Error('gone')) as never });
    await failing.engine.acquire(requestOf('a'));
    await expect(failing.engine.release('key', 'a')).rejects.toThrow('gone');
    expect([answered.pool.released, failing.pool.released]).toEqual([[true], [true]]);
  });

  test('a connection that breaks is a loss at once, closes itself once, and is renewed no more', async () => {
    const { pool, engine } = engineOf({});
    const request = requestOf('a');
    await engine.acquire(request);
    const error = new Error('terminated');
    pool.breakOff(error);
    pool.breakOff(new Error('again'));
    expect(request.lost).toHaveBeenCalledWith(error);
    expect(pool.released).toEqual([true]);
    expect(await engine.renew('key', 'a')).toBe(false);
    expect(await engine.release('key', 'a')).toBe(false);
    expect(pool.released).toEqual([true]);
  });

  test('a connection that breaks during a renewal has lost the lock', async () => {
    const { pool, engine } = engineOf({ ping: () => Promise.resolve({ rows: [] }) as never });
    await engine.acquire(requestOf('a'));
    const renewal = engine.renew('key', 'a');
    pool.breakOff(new Error('terminated'));
    expect(await renewal).toBe(false);
  });

  test('a connection that breaks while it is asked for the lock has not got it', async () => {
    const broken = engineOf({
      take() {
        broken.pool.breakOff(new Error('terminated'));
        return got(true);
      },
    });
    expect((await broken.engine.acquire(requestOf('b')).catch((error) => error)).message).toBe('terminated');
    expect(broken.pool.released).toEqual([true]);
  });

  test('SE1: a release that comes while the request is under way releases a later grant', async () => {
    let answer = (_taken: never) => {};
    const { pool, engine } = engineOf({ take: () => new Promise<never>((resolve) => (answer = resolve)) });
    const acquire = engine.acquire(requestOf('a', { ttlMs: 20_000 }));
    await sent(pool, 'pg_try_advisory_lock');
    expect(await engine.release('key', 'a')).toBe(false);
    answer(got(true));
    await acquire;
    expect(pool.statements.at(-1)).toContain('pg_advisory_unlock');
    expect(pool.released).toEqual([false]);
    expect(await engine.renew('key', 'a')).toBe(false);
  });

  test('nowait: one try, no wait', async () => {
    const { pool, engine } = engineOf({ take: () => got(false) });
    expect(await engine.acquire(requestOf('a', { nowait: true }))).toEqual({ freeInMs: 0 });
    expect(pool.statements.some((text) => text.includes('do $$'))).toBe(false);
    expect(pool.released).toEqual([false]);
  });

  test('the slice is at most two seconds, half of the time to live, and half of the query timeout of the driver', async () => {
    const sliceOf = async (ttlMs: number, queryTimeoutMs?: number) => {
      const { pool, engine } = engineOf({ take: () => got(false) });
      const connect = pool.connect.bind(pool);
      pool.connect = async () =>
        Object.assign(await connect(), { connectionParameters: { query_timeout: queryTimeoutMs } });
      await engine.acquire(requestOf('a', { ttlMs }));
      return /set_config\('lock_timeout', '(\d+)'/.exec(pool.statements.at(-1)!)?.[1];
    };
    expect(await sliceOf(20_000)).toBe('2000');
    expect(await sliceOf(1_001)).toBe('501');
    expect(await sliceOf(20_000, 600)).toBe('300');
    expect(await sliceOf(20_000, 0)).toBe('2000');
  });

  test('a pool without a connection is an error after nine tenths of the time to live, before the keeper gives up', async () => {
    const { pool, engine } = engineOf({});
    let asked = 0;
    pool.connect = () => {
      asked++;
      return never();
    };
    const end = engine.acquire(requestOf('a')).catch((error) => error.code);
    let code: unknown;
    void end.then((reason) => (code = reason));
    await turnsUntil(() => asked === 1);
    await vi.advanceTimersByTimeAsync(899);
    expect(code).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(code).toBe('ERR_NO_CONNECTION');
  });

  test('SE2: the settings that are found are the settings that are set back', async () => {
    const { pool, engine } = engineOf({});
    await engine.acquire(requestOf('a'));
    await engine.release('key', 'a');
    expect(pool.statements.at(-1)).toContain("set_config('idle_session_timeout', '5min', false)");
  });

  test.each([
    [{ processID: 2 }, false, 'ERR_POOLER'],
    [{ processID: 1 }, false, undefined],
    [{ processID: 2 }, true, undefined],
    [{}, false, undefined],
  ])(
    'SE5: a backend that is another one than the client knows is a pooler: %o, trusted: %s',
    async (more, trust, code) => {
      const { pool } = engineOf({});
      const connect = pool.connect.bind(pool);
      pool.connect = async () => Object.assign(await connect(), more);
      const engine = new SessionEngine(pool, 'latchkey', trust);
      const error = await engine.acquire(requestOf('a')).then(
        () => undefined,
        (reason) => reason,
      );
      expect(error?.code).toBe(code);
      if (code !== undefined) expect(pool.released).toEqual([true]);
      expect(pool.statements.filter((text) => text.includes('pg_backend_pid() as pid'))).toHaveLength(
        trust ? 0 : 1,
      );
    },
  );

  test('SE5: a pool that was found direct is not asked again', async () => {
    const { pool, engine } = engineOf({});
    for (const owner of ['a', 'b']) await engine.acquire(requestOf(owner));
    expect(pool.statements.filter((text) => text.includes('pg_backend_pid() as pid'))).toHaveLength(1);
  });

  test('a caller that leaves while the pool has no connection leaves nothing behind', async () => {
    const { pool, engine } = engineOf({});
    let give = (_client: never) => {};
    const client = await pool.connect();
    pool.connect = () => new Promise((resolve) => (give = resolve as never));
    const controller = new AbortController();
    const hints: unknown[] = [];
    const acquire = engine.acquire(
      requestOf('a', { signal: controller.signal, hint: (text: unknown) => hints.push(text) }),
    );
    await turnsUntil(() => hints.length > 0);
    expect(hints[0]).toContain('no connection of the pool was free');
    controller.abort();
    expect(await acquire).toEqual({ freeInMs: 0 });
    expect(hints.at(-1)).toBeUndefined();
    give(client as never);
    await vi.advanceTimersByTimeAsync(0);
    expect(pool.released).toEqual([false]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
