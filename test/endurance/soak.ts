/**
 * The pool on a real PostgreSQL whose sessions are killed at random, for any time. Users that give up, whose statements fail,
 * whose transactions are left open and whose sessions die must leave nothing behind, and every answer must belong to its
 * question.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { postgresPool } from '../../docs/recipes/connection-pool-pg.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { SeededRandom } from '../support/seeded-random.js';
import { growth, type HeapSample, heapInUse } from './heap.js';

export interface Soaked {
  readonly seconds: number;
  readonly served: number;
  readonly kills: number;
  /** How calls failed, by code. */
  readonly failures: Readonly<Record<string, number>>;
  /** Answers that did not belong to the question. */
  readonly wrong: number;
  readonly mostSessions: number;
  readonly max: number;
  readonly longestMs: number;
  readonly connected: number;
  readonly bytesPerCall: number;
  /** Counts that must be 0 once the pool is closed. */
  readonly left: Readonly<Record<string, number>>;
}

const max = 10;
const users = 40;
const patienceMs = 5_000;

export async function soak(seconds: number, seed: number): Promise<Soaked> {
  await using postgres = await startPostgres({ maxConnections: 30 });
  return await soakWith(postgres, seconds, new SeededRandom(seed));
}

async function soakWith(postgres: PostgresServer, seconds: number, random: SeededRandom): Promise<Soaked> {
  // The process that started the server keeps its log in memory: thousands of kills would look like a leak.
  await postgres.admin("ALTER ROLE app SET log_min_messages = 'panic'");
  const watcher = new pg.Client({ ...postgres.connectionOptions, user: 'postgres' });
  await watcher.connect();
  const pool = postgresPool(postgres.connectionOptions, {
    max,
    waitTimeoutMs: patienceMs,
    idleTimeoutMs: 200,
    maxLifetimeMs: 2_000,
    validateAfterIdleMs: 20,
  });
  const failures: Record<string, number> = {};
  const samples: HeapSample[] = [];
  let [served, wrong, kills, mostSessions, longestMs] = [0, 0, 0, 0, 0];
  const endsMs = performance.now() + seconds * 1_000;
  const whileTimeLasts = async (step: () => Promise<void>) => {
    while (performance.now() < endsMs) await step();
  };

  const user = async () => {
    const number = random.below(1e9);
    const controller = new AbortController();
    if (random.chance(0.1)) setTimeout(() => controller.abort(), random.below(20));
    const startedMs = performance.now();
    try {
      const answer = await pool.use(statement(random, number), { signal: controller.signal });
      served++;
      if (answer !== number) wrong++;
    } catch (error) {
      const kind = kindOf(error as Error);
      failures[kind] = (failures[kind] ?? 0) + 1;
    }
    longestMs = Math.max(longestMs, performance.now() - startedMs);
    if (random.chance(0.2)) await sleep(random.below(10));
  };

  const killer = async () => {
    await sleep(random.below(100));
    const share = random.pick([0.1, 0.1, 0.1, 0.5, 1]);
    const kill =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND random() < $1";
    kills += (await watcher.query(kill, [share])).rows.length;
  };

  const observer = async () => {
    mostSessions = Math.max(mostSessions, await sessions());
    await sleep(10);
  };

  const sessions = async () => {
    const count = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = 'app'";
    return (await watcher.query<{ count: number }>(count)).rows[0]?.count ?? 0;
  };

  const sampler = async () => {
    await sleep(1_000);
    samples.push({ operations: served, bytes: await heapInUse() });
  };

  const startedMs = performance.now();
  await Promise.all([...Array(users).fill(user), killer, observer, sampler].map(whileTimeLasts));
  const { connected } = pool.stats();
  await pool.close();
  const { total, waiting, keys } = pool.stats();
  const left = { total, waiting, keys, sessions: await sessions() };
  await watcher.end();
  return {
    seconds: (performance.now() - startedMs) / 1_000,
    served,
    kills,
    failures,
    wrong,
    mostSessions,
    max,
    longestMs,
    connected,
    bytesPerCall: growth(samples.slice(samples.length >> 2)),
    left,
  };
}

/** A user's work with a session: mostly a query, sometimes one that leaves it in a state that no other user may inherit. */
function statement(random: SeededRandom, number: number): (client: pg.Client) => Promise<number> {
  const ask = async (client: pg.Client, sql = 'SELECT $1::int AS number') => {
    const { rows } = await client.query<{ number: number }>(sql, [number]);
    return rows[0]?.number ?? Number.NaN;
  };
  const fate = random.below(20);
  if (fate === 0) return (client) => ask(client, 'SELECT 1 / 0 AS number WHERE $1::int IS NOT NULL');
  if (fate === 1) {
    return async (client) => {
      await client.query('BEGIN');
      throw new Error('left in a transaction');
    };
  }
  if (fate < 6) return (client) => ask(client, 'SELECT $1::int AS number FROM pg_sleep(0.005)');
  return (client) => ask(client);
}

/** The code of the server or of the package, else the name or the text. */
function kindOf({ name, message, code }: Error & { code?: unknown }): string {
  if (typeof code === 'string') return code;
  return name === 'Error' ? message : name;
}
