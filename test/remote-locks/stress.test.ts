/**
 * Processes that are killed and stopped at random while they take one lock. Afterwards no process that has ended
 * holds it. `LATCHKEY_STRESS_SECONDS=60 npx vitest run test/remote-locks/stress` runs it for longer.
 */
import { leaseTableSchema } from 'latchkey/postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';
import { Workers } from './support/processes.js';
import { pause, until } from './support/real-time.js';
import { ioredisClients } from './support/redis-clients.js';

const seconds = Number(process.env['LATCHKEY_STRESS_SECONDS'] ?? 3);
const ttlMs = 600;

let postgres: PostgresServer;
let redis: RedisServer;
let pool: pg.Pool;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  pool = new pg.Pool(postgres.connectionOptions);
  pool.on('error', () => {});
  await pool.query(leaseTableSchema());
});
afterAll(async () => {
  await pool.end();
  await Promise.all([postgres[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
});

/** How many locks are held, by the database itself. */
const held = {
  session: async () => (await postgres.admin("select from pg_locks where locktype = 'advisory'")).length,
  leaseTable: async () =>
    (await pool.query('select from latchkey_leases where expires_at > clock_timestamp()')).rowCount!,
  redis: async () => {
    await using client = ioredisClients(redis.connectionOptions);
    return ((await client.send(['KEYS', '*:lock'])) as string[]).length;
  },
};

describe.each(['session', 'leaseTable', 'redis'] as const)('%s', (kind) => {
  test('processes killed and stopped at random hold no lock in the end, and the others continue', {
    timeout: 60_000 + 1_000 * seconds,
  }, async () => {
    await using workers = await Workers.ready();
    const address = (kind === 'redis' ? redis : postgres).connectionOptions;
    const start = () => workers.start({ kind, address, key: 'stress', grants: 1_000_000, ttlMs });
    const children = Array.from({ length: 4 }, start);
    while ((await workers.events()).length === 0) await pause(50);
    const untilMs = performance.now() + 1_000 * seconds;
    while (performance.now() < untilMs) {
      await pause(100 + 200 * Math.random());
      const i = Math.floor(children.length * Math.random());
      const child = children[i]!;
      if (Math.random() < 0.5) {
        child.kill('SIGKILL');
        children[i] = start();
      } else {
        child.kill('SIGSTOP');
        await pause(2 * ttlMs * Math.random());
        child.kill('SIGCONT');
      }
    }
    const grants = (await workers.events()).filter(({ what }) => what === 'in').length;
    for (const child of children) child.kill('SIGKILL');
    await workers.ended();
    expect(grants).toBeGreaterThan(0);
    await until(async () => (await held[kind]()) === 0);
    if (process.env['LATCHKEY_STRESS_SECONDS']) console.log(`${kind}: ${grants} grants`);
  });
});
