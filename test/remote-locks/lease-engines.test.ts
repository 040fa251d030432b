/** The contract of `LeaseEngine`, checked for every engine. */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { leaseTableSchema } from 'latchkey/postgres';
import { RemoteMutex } from 'latchkey/remote-locks';
import { type LeaseEngineSubject, leaseEngineClaims } from 'latchkey/testing';
import Libsql from 'libsql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Sqlite, SqliteEngine } from '../../docs/recipes/lock-on-sqlite.js';
import { LeaseTableEngine } from '../../src/postgres/lease-table-engine.js';
import { SessionEngine } from '../../src/postgres/session-engine.js';
import { SharedSessionEngine } from '../../src/postgres/shared-session-engine.js';
import { RedisEngine } from '../../src/redis/redis-engine.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';
import { MemoryEngine } from './support/memory-engine.js';
import { oneAtATime } from './support/one-at-a-time.js';
import { grantsOf, Workers } from './support/processes.js';
import { pause } from './support/real-time.js';
import { ioredisClients, type RedisClients } from './support/redis-clients.js';

const majors = ['oldest', 'newest'] as const;
const servers = new Map<string, PostgresServer>();
const pools = new Map<string, pg.Pool>();
let redis: RedisServer;
let clients: RedisClients;

beforeAll(async () => {
  const starting = majors.map(async (major) => {
    const server = await startPostgres({ major });
    const pool = new pg.Pool({ ...server.connectionOptions, max: 60 });
    pool.on('error', () => {});
    await pool.query(leaseTableSchema());
    servers.set(major, server);
    pools.set(major, pool);
  });
  [redis] = await Promise.all([startRedis(), ...starting]);
  clients = ioredisClients(redis.connectionOptions);
});
afterAll(async () => {
  await Promise.all([...pools.values()].map((pool) => pool.end()));
  await clients[Symbol.asyncDispose]();
  await Promise.all([redis, ...servers.values()].map((server) => server[Symbol.asyncDispose]()));
});

const onRedis = (kind: 'mutex' | 'semaphore', places: number, wakes: boolean) => () =>
  new RedisEngine(clients.send, {
    kind,
    namespace: 'latchkey',
    places,
    subscribe: wakes ? clients.subscribe : undefined,
  });

const onPostgres = (major: 'oldest' | 'newest'): Record<string, () => LeaseEngineSubject> => ({
  [`the lease table on the ${major} PostgreSQL`]: () => ({
    makeEngine: () => new LeaseTableEngine(pools.get(major)!, 'mutex', 'latchkey'),
  }),
  [`the lease table on the ${major} PostgreSQL, three places`]: () => ({
    makeEngine: () => new LeaseTableEngine(pools.get(major)!, 'semaphore', 'latchkey', { places: 3 }),
    places: 3,
  }),
  [`the lease table on the ${major} PostgreSQL, whose clock is not trusted`]: () => ({
    // Its grants end when another owner has seen them for long enough, which no claim is about; so they have an end, too.
    makeEngine: () =>
      Object.assign(new LeaseTableEngine(pools.get(major)!, 'mutex', 'latchkey', { trustClock: false }), {
        holder: undefined,
      }),
    expires: false,
  }),
  [`sessions of the ${major} PostgreSQL`]: () => ({
    makeEngine: () => new SessionEngine(pools.get(major)!, 'latchkey'),
    expires: false,
  }),
  [`sessions of the ${major} PostgreSQL, with one connection for all keys`]: () => ({
    makeEngine: () => new SharedSessionEngine(pools.get(major)!, 'latchkey', false),
    expires: false,
  }),
});

const subjects: Record<string, () => LeaseEngineSubject> = {
  ...onPostgres('oldest'),
  ...onPostgres('newest'),
  'the mutex of Redis': () => ({ makeEngine: onRedis('mutex', 1, false) }),
  'the mutex of Redis, with wake-ups': () => ({ makeEngine: onRedis('mutex', 1, true) }),
  'the semaphore of Redis, one place': () => ({ makeEngine: onRedis('semaphore', 1, false) }),
  'the semaphore of Redis, three places': () => ({ makeEngine: onRedis('semaphore', 3, true), places: 3 }),
};

describe.each(Object.entries(subjects))('%s', (_name, subject) => {
  test.concurrent.each(leaseEngineClaims)('$title', ({ check }) => check(subject()));
});

interface OpenSqlite extends Sqlite {
  close(): unknown;
}
type SqliteModule = { DatabaseSync: new (file: string) => OpenSqlite };
const builtin = process.getBuiltinModule('node:sqlite' as never) as SqliteModule | undefined;
const sqlites: { name: string; open: (file: string) => OpenSqlite }[] = [
  { name: 'libsql', open: (file) => new Libsql(file) },
];
// Node.js has it since version 22.
if (builtin !== undefined)
  sqlites.push({ name: 'node:sqlite', open: (file) => new builtin.DatabaseSync(file) });

describe.each(sqlites)('the recipe on SQLite, $name', ({ name, open }) => {
  const file = path.join(tmpdir(), `latchkey-${process.pid}-${name.replace(':', '-')}.db`);
  const databases: OpenSqlite[] = [];
  afterAll(async () => {
    for (const database of databases) database.close();
    for (const end of ['', '-shm', '-wal']) await rm(`${file}${end}`, { force: true });
  });
  const makeEngine = () => {
    const database = open(file);
    databases.push(database);
    return new SqliteEngine(database);
  };
  test.concurrent.each(leaseEngineClaims)('$title', ({ check }) => check({ makeEngine }));

  test('twenty tasks of two locks: never two inside, and tokens grow', () =>
    oneAtATime(new RemoteMutex(makeEngine()), new RemoteMutex(makeEngine()), 'key'));
});

test('the recipe on SQLite: a process that opens a new file waits for another one that writes to it', async () => {
  await using workers = await Workers.ready();
  const file = path.join(workers.folder, 'leases.db');
  const other = new Libsql(file);
  other.exec('begin exclusive');
  const worker = workers.start({ kind: 'sqlite', address: { file }, key: 'key', grants: 1, ttlMs: 5_000 });
  await once(worker, 'message');
  await pause(100);
  other.exec('commit');
  other.close();
  await workers.ended();
  expect(grantsOf(await workers.events(), new Set())).toBe(1);
});

describe('the engine in memory, in manual time', () => {
  beforeAll(() => {
    vi.useFakeTimers();
  });
  afterAll(() => {
    vi.useRealTimers();
  });
  test.each(leaseEngineClaims)('$title', ({ check }) => {
    const engine = new MemoryEngine();
    return check({ makeEngine: () => engine, pause: (ms) => vi.advanceTimersByTimeAsync(ms) });
  });
});
