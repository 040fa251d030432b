/**
 * Processes that are killed and stopped at random while they take one lock. Afterwards no process that has ended holds it.
 *
 *     LATCHKEY_STRESS_SECONDS=60 npx vitest run test/remote-locks/stress      for longer
 *     LATCHKEY_STRESS_GRANTS=10000 npx vitest run test/remote-locks/stress    until there are that many grants
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RedisSend } from 'latchkey/redis';
import type { LeaseEngine } from 'latchkey/remote-locks';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SqliteEngine } from '../../docs/recipes/lock-on-sqlite.js';
import { LeaseTableEngine } from '../../src/postgres/lease-table-engine.js';
import { RedisEngine } from '../../src/redis/redis-engine.js';
import { grantsOf, Workers } from './support/processes.js';
import { pause, until } from './support/real-time.js';
import { ioredisClients } from './support/redis-clients.js';
import { type Servers, startServers } from './support/servers.js';
import type { LockKind } from './support/worker.js';

const seconds = Number(process.env['LATCHKEY_STRESS_SECONDS'] ?? 3);
const leastGrants = Number(process.env['LATCHKEY_STRESS_GRANTS'] ?? 1);
const isTold = Object.keys(process.env).some((name) => name.startsWith('LATCHKEY_STRESS'));
const ttlMs = 600;

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

const rowsHeld = async (kind: string) => {
  const sql =
    'select from latchkey_leases where key like $1 and owner is not null and expires_at > clock_timestamp()';
  return (await servers.pool.query(sql, [`latchkey:${kind}:%`])).rowCount!;
};
const keysHeld = async (pattern: string) => {
  await using client = ioredisClients(servers.redis.connectionOptions);
  return ((await client.send(['KEYS', pattern])) as string[]).length;
};

const advisoryLocks = async () =>
  (await servers.postgres.admin("select from pg_locks where locktype = 'advisory'")).length;

/** How many locks are held, by the database itself. */
const held: Record<LockKind, (file: string) => Promise<number>> = {
  session: advisoryLocks,
  sharedSession: advisoryLocks,
  leaseTable: () => rowsHeld('mutex'),
  postgresSemaphore: () => rowsHeld('semaphore'),
  redis: () => keysHeld('*:lock'),
  redisSemaphore: () => keysHeld('*:places'),
  async sqlite(file) {
    const database = new Libsql(file);
    const sql = "select key from leases where ends_at > cast(unixepoch('subsec') * 1000 as integer)";
    const rows = database.prepare(sql).all();
    database.close();
    return rows.length;
  },
};

type ExpiringKind = Exclude<LockKind, 'session' | 'sharedSession'>;

/** Two engines over one database, as two processes would have. */
function enginesOf(kind: ExpiringKind, file: string, send: RedisSend): [LeaseEngine, LeaseEngine] {
  const make: Record<ExpiringKind, () => LeaseEngine> = {
    leaseTable: () => new LeaseTableEngine(servers.pool, 'mutex', 'latchkey'),
    postgresSemaphore: () => new LeaseTableEngine(servers.pool, 'semaphore', 'latchkey'),
    redis: () => onRedis('mutex'),
    redisSemaphore: () => onRedis('semaphore'),
    sqlite: () => new SqliteEngine(new Libsql(file)),
  };
  const onRedis = (of: 'mutex' | 'semaphore') =>
    new RedisEngine(send, { kind: of, namespace: 'latchkey', places: 1, subscribe: undefined });
  return [make[kind](), make[kind]()];
}

// Those of sessions are aimed at the ends of slices, in session-engine.test.ts.
describe('releases aimed at the ends of times to live', () => {
  const expiring = (Object.keys(held) as LockKind[]).filter((kind) => !/session/i.test(kind));

  test.each(expiring as ExpiringKind[])(
    '%s: of a thousand, none frees what another owner holds, and nothing stays held',
    { timeout: 120_000 },
    async (kind) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-stress-'));
      const file = path.join(folder, 'leases.db');
      await using client = ioredisClients(servers.redis.connectionOptions);
      const [one, other] = enginesOf(kind, file, client.send);
      const ask = (engine: LeaseEngine, key: string, owner: string, ms: number) =>
        engine.acquire({ key, owner, ttlMs: ms, signal: new AbortController().signal, lost() {} });
      const granted = async (key: string, owner: string) => {
        for (;;) {
          const answer = await ask(other, key, owner, 60_000);
          if ('token' in answer) return answer.token;
          await pause(Math.max(1, answer.freeInMs / 2));
        }
      };
      let late = 0;
      const aimed = async (key: string, round: number) => {
        const [holder, waiter] = [`holder ${round}`, `waiter ${round}`];
        const first = await ask(one, key, holder, 200);
        const waiting = granted(key, waiter);
        await pause(200 - 6 + 12 * Math.random());
        if (!(await one.release(key, holder))) late++;
        expect((await waiting) > (first as { token: bigint }).token).toBe(true);
        expect(await other.renew(key, waiter, 60_000)).toBe(true);
        expect(await other.release(key, waiter)).toBe(true);
      };
      for (let round = 0; round < 20; round++)
        await Promise.all(Array.from({ length: 50 }, (_, i) => aimed(`aimed ${i}`, round)));
      expect(await held[kind](file)).toBe(0);
      await rm(folder, { recursive: true });
      if (isTold) console.log(`${kind}: 1000 releases, ${late} came after the end`);
    },
  );
});

describe.each(Object.keys(held) as LockKind[])('%s', (kind) => {
  const fileOf = (workers: Workers) => path.join(workers.folder, 'leases.db');

  /** Four workers and a fault of one of them after the other. Resolves with the processes that were killed. */
  async function disturbed(workers: Workers, mayStop: boolean): Promise<Set<number>> {
    const killed = new Set<number>();
    const address = kind === 'sqlite' ? { file: fileOf(workers) } : servers.addressOf(kind);
    const start = () => workers.start({ kind, address, key: 'stress', grants: 1_000_000, ttlMs });
    const children = Array.from({ length: 4 }, start);
    const kill = (child: ChildProcess) => {
      killed.add(child.pid!);
      child.kill('SIGKILL');
    };
    const events = async () => (await workers.events()).length;
    await until(async () => (await events()) > 0);
    const untilMs = performance.now() + 1_000 * seconds;
    // Each grant is two events.
    while (performance.now() < untilMs || (await events()) < 2 * leastGrants) {
      const seen = await events();
      await pause(100 + 200 * Math.random());
      // On a busy machine, processes would be killed before they have begun.
      await until(async () => (await events()) > seen);
      const i = Math.floor(children.length * Math.random());
      const child = children[i]!;
      if (mayStop && Math.random() < 0.5) {
        child.kill('SIGSTOP');
        await pause(2 * ttlMs * Math.random());
        child.kill('SIGCONT');
      } else {
        kill(child);
        children[i] = start();
      }
    }
    for (const child of children) kill(child);
    await workers.ended();
    return killed;
  }
  const timeout = 60_000 + 2_000 * seconds + 100 * leastGrants;

  test('processes killed at random: one holder at a time, tokens grow, and nothing stays held', {
    timeout,
  }, async () => {
    await using workers = await Workers.ready();
    const startedMs = performance.now();
    const killed = await disturbed(workers, false);
    const grants = grantsOf(await workers.events(), killed);
    expect(grants).toBeGreaterThan(0);
    await until(async () => (await held[kind](fileOf(workers))) === 0);
    if (isTold) {
      const took = Math.round((performance.now() - startedMs) / 1_000);
      console.log(`${kind}: ${grants} grants, ${killed.size} processes killed, in ${took} s`);
    }
  });

  // A process that is stopped for longer than its lease finds out late, so that another one may be inside: its token is old.
  test('processes killed and stopped at random: no token twice, and nothing stays held', {
    timeout,
  }, async () => {
    await using workers = await Workers.ready();
    await disturbed(workers, true);
    const tokens = (await workers.events()).filter(({ what }) => what === 'in').map(({ token }) => token);
    expect(tokens.length).toBeGreaterThan(0);
    expect(new Set(tokens).size).toBe(tokens.length);
    await until(async () => (await held[kind](fileOf(workers))) === 0);
  });
});
