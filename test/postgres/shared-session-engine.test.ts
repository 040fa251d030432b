/** Session locks of many keys on one connection: on a real PostgreSQL, and on a scripted one. */
import { leaseTableSchema, lockedTransaction, PostgresMutex } from 'latchkey/postgres';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { advisoryKey } from '../../src/postgres/advisory-lock.js';
import { SharedSessionEngine } from '../../src/postgres/shared-session-engine.js';
import { oneAtATime } from '../remote-locks/support/one-at-a-time.js';
import { lossOf, lossReasons, pause, until } from '../remote-locks/support/real-time.js';
import { TcpProxy } from '../remote-locks/support/tcp-proxy.js';
import { postgresForTests } from './support/postgres-for-tests.js';
import { serverError } from './support/scripted-pool.js';
import {
  got,
  never,
  requestOf,
  type Steps,
  scriptedSessions,
  sent,
  turnsUntil,
} from './support/scripted-sessions.js';

describe('session locks on one connection of PostgreSQL', () => {
  const postgres = postgresForTests();
  const { poolOf } = postgres;
  const shared = (pool: pg.Pool, ttlMs = 3_000) =>
    new PostgresMutex(pool, { mode: 'session', shareConnection: true, ttlMs });
  const advisoryLocks = async () =>
    (await postgres.server.admin("select from pg_locks where locktype = 'advisory'")).length;

  test('SS1: a hundred tasks that hold a key and query the pool of two connections: all of them end', async () => {
    const pool = poolOf({ max: 2 });
    const mutex = shared(pool);
    let inside = 0;
    const all = new Promise<void>((resolve) => {
      const task = async () => {
        await pool.query('select 1');
        if (++inside === 100) resolve();
        await all;
      };
      for (let i = 0; i < 100; i++) void mutex.run(`key ${i}`, task);
    });
    await all;
    await mutex.idle();
    expect([pool.totalCount, pool.idleCount]).toEqual([2, 2]);
    expect(await advisoryLocks()).toBe(0);
  });

  test('PM2, SS4: two objects, one of them with a connection per key: one task at a time, tokens grow', async () => {
    const pool = poolOf();
    await oneAtATime(shared(pool), shared(pool), 'one');
    await oneAtATime(shared(pool), new PostgresMutex(pool, { mode: 'session' }), 'mixed');
    expect(await advisoryLocks()).toBe(0);
  });

  test('it excludes lockedTransaction of the same key, and names its connection as the holder', async () => {
    const pool = poolOf({ application_name: 'shop' });
    const mutex = shared(pool);
    const [one, other] = [await mutex.acquire('both'), await mutex.acquire('other')];
    await expect(lockedTransaction(pool, 'both', () => 1, { waitTimeoutMs: 50 })).rejects.toThrow('gave up');
    const holder = await mutex.holder('both');
    expect(holder).toEqual({
      owner: expect.stringContaining('shop backend'),
      heldMs: undefined,
      leftMs: Infinity,
    });
    await one.release();
    // The transaction that was given up may get the lock for a moment, before it is rolled back.
    await until(async () => (await mutex.holder('both')) === undefined);
    expect(await mutex.holder('other')).toEqual(holder);
    await other.release();
  });

  test('SS5: what was set is set back with the last lock', async () => {
    const pool = poolOf({ max: 1, options: '-c idle_session_timeout=90s -c tcp_keepalives_idle=77' });
    const shown = async () =>
      (
        (await pool.query('show idle_session_timeout; show tcp_keepalives_idle')) as never as pg.QueryResult[]
      ).map(({ rows }) => Object.values(rows[0])[0]);
    const before = await shown();
    const mutex = shared(pool);
    const leases = [await mutex.acquire('a'), await mutex.acquire('b'), await mutex.acquire('c')];
    for (const lease of leases) await lease.release();
    expect(await shown()).toEqual(before);
  });

  test('SS5, SE4: while a lock is held, the session does not end for idleness', async () => {
    const pool = poolOf({ max: 1, options: '-c idle_session_timeout=300' });
    const mutex = shared(pool, 10_000);
    const [one, other] = [await mutex.acquire('a'), await mutex.acquire('b')];
    await one.release();
    await pause(700);
    expect(other.signal.aborted).toBe(false);
    await other.release();
  });

  test('SS2: a connection that is killed is a loss of all its locks at once; the next one is new', async () => {
    const mutex = shared(poolOf());
    const leases = [await mutex.acquire('a'), await mutex.acquire('b')];
    await postgres.server.admin(
      "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted",
    );
    for (const lease of leases) expect(await lossOf(lease.signal)).toContain(lossReasons.session);
    expect(await mutex.run('a', () => 'next')).toBe('next');
    expect(await advisoryLocks()).toBe(0);
  });

  test('SS2: a network that swallows everything is a loss of all locks before their deadline, and the connection is closed', async () => {
    await using proxy = await TcpProxy.before(postgres.server.connectionOptions);
    const pool = poolOf({ port: proxy.port, max: 1 });
    const mutex = shared(pool, 900);
    const leases = [await mutex.acquire('a'), await mutex.acquire('b')];
    proxy.isBlackHole = true;
    for (const lease of leases) expect(await lossOf(lease.signal, 1_000)).toContain(lossReasons.deadline);
    await until(async () => pool.totalCount === 0);
  });

  test('SS2: an error of one request is no loss of the others, and leaves no lock', async () => {
    // A replica refuses the statement that makes the token.
    const pool = poolOf({ max: 1 });
    const mutex = shared(pool);
    const lease = await mutex.acquire('kept');
    const clients = await postgres.server.admin<{ pid: number }>(
      "select pid from pg_locks where locktype = 'advisory'",
    );
    expect(clients).toHaveLength(1);
    await postgres.server.admin('revoke execute on function pg_current_xact_id() from public');
    await expect(mutex.acquire('refused')).rejects.toMatchObject({ code: '42501' });
    await postgres.server.admin('grant execute on function pg_current_xact_id() to public');
    expect(lease.signal.aborted).toBe(false);
    expect(await advisoryLocks()).toBe(1);
    await lease.release();
    expect(await advisoryLocks()).toBe(0);
  });

  test('three thousand keys at once: none is refused', async () => {
    const mutex = shared(poolOf());
    const runs = Array.from({ length: 3_000 }, (_, i) => mutex.run(`many ${i}`, () => 1));
    expect(await Promise.all(runs)).toHaveLength(3_000);
    // Six thousand round trips, one after another: on a busy machine they take longer than the default allows.
  }, 90_000);

  test('a pool that has no connection: the error says so', async () => {
    const pool = poolOf({ max: 1 });
    await pool.query(leaseTableSchema());
    const client = await pool.connect();
    const mutex = shared(pool, 500);
    await expect(mutex.acquire('a')).rejects.toMatchObject({ code: 'ERR_NO_CONNECTION' });
    await expect(mutex.acquire('a', { waitTimeoutMs: 50 })).rejects.toThrow(
      'no connection of the pool was free',
    );
    client.release();
    expect(await mutex.run('a', () => 'free')).toBe('free');
  });
});

describe('session locks on one connection of a scripted PostgreSQL', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const engineOf = (steps: Steps, trusted = false) => {
    const pool = scriptedSessions(steps);
    return { pool, engine: new SharedSessionEngine(pool, 'latchkey', trusted) };
  };
  const unlocks = (pool: { statements: string[] }) =>
    pool.statements.filter((text) => text.includes('pg_advisory_unlock'));

  test('SS1, SS5: the connection goes back with the last lock, whose unlock sets back what the first one found', async () => {
    let n = 0;
    const take = () =>
      [{}, { rows: [{ got: true, token: '7', idle_session_timeout: `${++n}min` }] }, {}] as never;
    const { pool, engine } = engineOf({ take });
    await engine.acquire(requestOf('a'));
    await engine.acquire(requestOf('b', { key: 'other' }));
    expect(await engine.release('key', 'a')).toBe(true);
    expect(pool.released).toEqual([]);
    expect(await engine.release('other', 'b')).toBe(true);
    expect(pool.released).toEqual([false]);
    expect(pool.listeners.size).toBe(0);
    expect(unlocks(pool)[0]).not.toContain('set_config');
    expect(unlocks(pool)[1]).toContain("set_config('idle_session_timeout', '1min', false)");
  });

  test('SS1: a connection that went back is not used again; the pool is not asked while one is kept', async () => {
    const { pool, engine } = engineOf({});
    const connect = vi.spyOn(pool, 'connect');
    await engine.acquire(requestOf('a'));
    await engine.acquire(requestOf('b', { key: 'other' }));
    expect(connect).toHaveBeenCalledTimes(1);
    await engine.release('key', 'a');
    await engine.release('other', 'b');
    await engine.acquire(requestOf('c'));
    expect(connect).toHaveBeenCalledTimes(2);
    expect(await engine.release('key', 'stranger')).toBe(false);
    expect(pool.released).toEqual([false]);
  });

  test('SS1: a refusal gives the connection back', async () => {
    const { pool, engine } = engineOf({ take: () => got(false) });
    expect(await engine.acquire(requestOf('a'))).toEqual({ freeInMs: Infinity });
    expect(pool.released).toEqual([false]);
    expect(pool.listeners.size).toBe(0);
    expect(await engine.release('key', 'a')).toBe(false);
    expect(await engine.renew('key', 'a', 1_000)).toBe(false);
    expect(unlocks(pool)).toEqual([]);
  });

  test('SS4: a key that this connection holds is refused without asking, and asked for again after its release', async () => {
    const { pool, engine } = engineOf({});
    await engine.acquire(requestOf('a'));
    const asked = pool.statements.length;
    expect(await engine.acquire(requestOf('b'))).toEqual({ freeInMs: Infinity });
    expect(pool.statements).toHaveLength(asked);
    await engine.release('key', 'a');
    expect(await engine.acquire(requestOf('b'))).toEqual({ token: 7n });
  });

  test('SS3: a grant whose caller has given up is unlocked, and one that was not asked for yet is not asked for', async () => {
    let answer = (_taken: never) => {};
    const { pool, engine } = engineOf(
      { take: () => new Promise<never>((resolve) => (answer = resolve)) },
      true,
    );
    const first = engine.acquire(requestOf('a'));
    await sent(pool, 'pg_try_advisory_lock');
    const second = engine.acquire(requestOf('b', { key: 'other' }));
    expect(await engine.release('key', 'a')).toBe(false);
    expect(await engine.release('other', 'b')).toBe(false);
    answer(got(true));
    await first;
    expect(await second).toEqual({ freeInMs: Infinity });
    expect(unlocks(pool)).toHaveLength(1);
    expect(pool.statements).toHaveLength(2);
    expect(pool.released).toEqual([false]);
    expect(await engine.renew('key', 'a', 1_000)).toBe(false);
  });

  test.each(['take', 'ping', 'unlock'] as const)(
    'SS2: a server that does not answer (%s) within the time to live loses all locks, and its connection',
    async (silent) => {
      let takes = 0;
      const { pool, engine } = engineOf({
        take: () => (++takes === 3 ? never() : got(true)),
        ping: () => (silent === 'ping' ? never() : (undefined as never)),
        unlock: () => (silent === 'unlock' ? never() : ([{ rows: [{ freed: true }] }] as never)),
      });
      const requests = [requestOf('a'), requestOf('b', { key: 'other' })] as const;
      for (const request of requests) await engine.acquire(request);
      const calls = {
        take: () => engine.acquire(requestOf('c', { key: 'third' })),
        ping: () => engine.renew('key', 'a', 1_000),
        unlock: () => engine.release('key', 'a'),
      };
      const call = calls[silent]().catch((error) => error);
      if (silent === 'take') await turnsUntil(() => takes === 3);
      await vi.advanceTimersByTimeAsync(999);
      expect(pool.released).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(await call).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
      expect(pool.released).toEqual([true]);
      expect(unlocks(pool)).toHaveLength(silent === 'unlock' ? 1 : 0);
      expect(requests[1].lost).toHaveBeenCalledOnce();
      expect(await engine.renew('other', 'b', 1_000)).toBe(false);
      expect(await engine.release('other', 'b')).toBe(false);
    },
  );

  test('SS2: commands are sent one after the other', async () => {
    let [under, most] = [0, 0];
    const slowly = async (answer: unknown) => {
      most = Math.max(most, ++under);
      await vi.advanceTimersByTimeAsync(10);
      under--;
      return answer as never;
    };
    const { engine } = engineOf({
      take: () => slowly(got(true)),
      ping: () => slowly(undefined),
      unlock: () => slowly([{ rows: [{ freed: true }] }]),
    });
    const keys = ['a', 'b', 'c'];
    await Promise.all(keys.map((key) => engine.acquire(requestOf(key, { key }))));
    const renewed = Promise.all(keys.map((key) => engine.renew(key, key, 1_000)));
    const freed = Promise.all(keys.map((key) => engine.release(key, key)));
    expect(await renewed).toEqual([true, true, true]);
    expect(await freed).toEqual([true, true, true]);
    expect(most).toBe(1);
  });

  test('SS2: what waits for its turn when the connection breaks, or its lease is released, is answered and not sent', async () => {
    let settle = { resolve() {}, reject(_error: Error) {} };
    const { pool, engine } = engineOf({
      ping: () =>
        new Promise<never>((resolve, reject) => (settle = { resolve: resolve as () => void, reject })),
    });
    const pings = () => pool.statements.filter((text) => text === 'select 1').length;
    await engine.acquire(requestOf('a'));
    await engine.acquire(requestOf('b', { key: 'other' }));
    const calls = [
      engine.renew('other', 'b', 1_000),
      engine.release('key', 'a'),
      engine.renew('key', 'a', 1_000),
      engine.release('key', 'a'),
    ];
    await turnsUntil(() => pings() === 1);
    settle.resolve();
    expect(await Promise.all(calls)).toEqual([true, true, false, false]);
    expect([pings(), unlocks(pool).length, pool.released]).toEqual([1, 1, []]);
    await engine.acquire(requestOf('c', { key: 'third' }));
    const late = [
      engine.renew('other', 'b', 1_000).catch((error) => error.message),
      engine.renew('third', 'c', 1_000),
      engine.release('third', 'c'),
    ];
    await turnsUntil(() => pings() === 2);
    pool.breakOff(new Error('terminated'));
    settle.reject(new Error('terminated'));
    expect(await Promise.all(late)).toEqual(['terminated', false, false]);
    expect([pings(), unlocks(pool).length, pool.released]).toEqual([2, 1, [true]]);
  });

  test('SS3: a connection goes back only when the grant that came too late is unlocked', async () => {
    let [answer, freed] = [(_taken: never) => {}, (_freed: never) => {}];
    const { pool, engine } = engineOf({
      take: () => new Promise<never>((resolve) => (answer = resolve)),
      unlock: () => new Promise<never>((resolve) => (freed = resolve)),
    });
    const wait = engine.acquire(requestOf('a'));
    await sent(pool, 'pg_try_advisory_lock');
    await engine.release('key', 'a');
    answer(got(true));
    await turnsUntil(() => unlocks(pool).length === 1);
    expect(pool.released).toEqual([]);
    freed([{ rows: [{ freed: true }] }] as never);
    await wait;
    expect(pool.released).toEqual([false]);
  });

  test('SS2: a connection that breaks is a loss of every lock at once, and is closed once', async () => {
    const { pool, engine } = engineOf({});
    const requests = [requestOf('a'), requestOf('b', { key: 'other' })] as const;
    for (const request of requests) await engine.acquire(request);
    const error = new Error('terminated');
    pool.breakOff(error);
    pool.breakOff(new Error('again'));
    for (const { lost } of requests) expect(lost.mock.calls).toEqual([[error]]);
    expect(pool.released).toEqual([true]);
    expect(pool.listeners.size).toBe(1);
    expect(await engine.release('key', 'a')).toBe(false);
    expect(await engine.acquire(requestOf('c'))).toEqual({ token: 7n });
  });

  test('SS3: a connection that breaks as the lock is granted is no grant', async () => {
    const { pool, engine } = engineOf({
      take: () => {
        pool.breakOff(new Error('terminated'));
        return got(true);
      },
    });
    expect(await engine.acquire(requestOf('a'))).toEqual({ freeInMs: Infinity });
    expect(pool.released).toEqual([true]);
    expect(await engine.renew('key', 'a', 1_000)).toBe(false);
  });

  test('SS2, SS3: an error that the server reports is that of one request: its lock is unlocked, the others stay', async () => {
    let isFailing = false;
    const { pool, engine } = engineOf({
      take: () => (isFailing ? (Promise.reject(serverError('53200')) as never) : got(true)),
    });
    const first = requestOf('a');
    await engine.acquire(first);
    isFailing = true;
    await expect(engine.acquire(requestOf('b', { key: 'other' }))).rejects.toMatchObject({ code: '53200' });
    expect(unlocks(pool)).toHaveLength(1);
    // The settings stay for the lock that is held.
    expect(unlocks(pool)[0]).not.toContain('set_config');
    expect(first.lost).not.toHaveBeenCalled();
    expect(pool.released).toEqual([]);
    await engine.release('key', 'a');
    expect(pool.released).toEqual([false]);
    // With nothing to keep it for, the connection is closed.
    await expect(engine.acquire(requestOf('c'))).rejects.toMatchObject({ code: '53200' });
    expect(pool.released).toEqual([false, true]);
  });

  test('SS2: what a refused request may have locked is unlocked before the next command is sent', async () => {
    let freed = (_answer: never) => {};
    let takes = 0;
    const { pool, engine } = engineOf({
      take: () => (++takes === 2 ? (Promise.reject(serverError('53200')) as never) : got(true)),
      unlock: () => new Promise<never>((resolve) => (freed = resolve)),
    });
    await engine.acquire(requestOf('a'));
    const refused = engine.acquire(requestOf('b', { key: 'other' })).catch((error) => error.code);
    await turnsUntil(() => unlocks(pool).length === 1);
    const third = engine.acquire(requestOf('c', { key: 'third' }));
    await vi.advanceTimersByTimeAsync(500);
    expect(takes).toBe(2);
    freed([{ rows: [{ freed: true }] }] as never);
    expect(await refused).toBe('53200');
    expect(await third).toEqual({ token: 7n });
  });

  test('the time in the queue for the connection counts to the wait for one', async () => {
    let answer = (_error: Error) => {};
    const { pool, engine } = engineOf(
      { take: () => new Promise<never>((_, reject) => (answer = reject)) },
      true,
    );
    const first = engine.acquire(requestOf('a')).catch((error) => error.message);
    await sent(pool, 'pg_try_advisory_lock');
    const second = engine.acquire(requestOf('b', { key: 'other' })).catch((error) => error.code);
    let code: unknown;
    void second.then((value) => (code = value));
    // Both keys are hashed when a third one is.
    await advisoryKey('latchkey', 'third');
    const connect = vi.spyOn(pool, 'connect').mockImplementation(never);
    await vi.advanceTimersByTimeAsync(600);
    answer(new Error('gone'));
    expect(await first).toBe('gone');
    await turnsUntil(() => connect.mock.calls.length === 1);
    await vi.advanceTimersByTimeAsync(299);
    expect(code).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(code).toBe('ERR_NO_CONNECTION');
  });

  test('SS3: an unlock that is answered false, or fails, closes the connection', async () => {
    for (const unlock of [
      () => [{ rows: [{ freed: false }] }] as never,
      () => Promise.reject(serverError('57014')) as never,
    ]) {
      const { pool, engine } = engineOf({ unlock });
      const other = requestOf('b', { key: 'other' });
      await engine.acquire(requestOf('a'));
      await engine.acquire(other);
      expect(await engine.release('key', 'a').catch(() => 'failed')).not.toBe(true);
      expect(pool.released).toEqual([true]);
      expect(other.lost).toHaveBeenCalledOnce();
    }
  });

  test('SE5: it rejects behind a pooler, unless that is trusted; a pool that was found direct is not asked again', async () => {
    const asked = (pool: { statements: string[] }) =>
      pool.statements.filter((text) => text.includes('pg_backend_pid')).length;
    const pooled = engineOf({});
    const connect = pooled.pool.connect;
    pooled.pool.connect = async () => Object.assign(await connect(), { processID: 2 });
    await expect(pooled.engine.acquire(requestOf('a'))).rejects.toMatchObject({ code: 'ERR_POOLER' });
    expect(pooled.pool.released).toEqual([true]);
    const trusted = engineOf({}, true);
    await trusted.engine.acquire(requestOf('a'));
    expect(asked(trusted.pool)).toBe(0);
    const direct = engineOf({});
    for (let i = 0; i < 3; i++) {
      await direct.engine.acquire(requestOf('a'));
      await direct.engine.release('key', 'a');
    }
    expect(asked(direct.pool)).toBe(1);
  });

  test('a caller that leaves while the pool has no connection leaves nothing behind', async () => {
    const { pool, engine } = engineOf({});
    const connect = pool.connect;
    let connected: (() => void) | undefined;
    pool.connect = () => new Promise<void>((resolve) => (connected = resolve)).then(connect);
    const controller = new AbortController();
    const wait = engine.acquire(requestOf('a', { signal: controller.signal }));
    await turnsUntil(() => connected !== undefined);
    controller.abort();
    expect(await wait).toEqual({ freeInMs: 0 });
    connected!();
    await vi.advanceTimersByTimeAsync(0);
    expect(pool.released).toEqual([false]);
  });
});
