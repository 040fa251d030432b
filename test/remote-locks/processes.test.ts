/** Four processes and one database: each holder logs when it held the lock. */
import { once } from 'node:events';
import { leaseTableSchema, PostgresMutex } from 'latchkey/postgres';
import { RedisMutex } from 'latchkey/redis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';
import { grantsOf, Workers } from './support/processes.js';
import { ioredisClients } from './support/redis-clients.js';

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

const addressOf = (kind: string) => (kind === 'redis' ? redis : postgres).connectionOptions;

describe.each([
  ['redis', 2_500],
  ['session', 2_500],
  ['leaseTable', 100],
] as const)('%s', (kind, grants) => {
  test(`4 processes, ${4 * grants} grants: never two inside, tokens strictly growing`, {
    timeout: 400_000,
  }, async () => {
    await using workers = await Workers.ready();
    const orders = { kind, address: addressOf(kind), key: 'shared', grants, ttlMs: 10_000 };
    for (let i = 0; i < 4; i++) workers.start(orders);
    await workers.ended();
    expect(grantsOf(await workers.events(), new Set())).toBe(4 * grants);
  });

  test('the key of a process that was killed while it held it is free when its lease has ended', async () => {
    await using workers = await Workers.ready();
    const ttlMs = 1_500;
    const child = workers.start({
      kind,
      address: addressOf(kind),
      key: 'killed',
      grants: 1,
      ttlMs,
      keepLast: true,
    });
    await once(child, 'message');
    const startedMs = performance.now();
    child.kill('SIGKILL');
    await using client = ioredisClients(redis.connectionOptions);
    const lock =
      kind === 'redis'
        ? new RedisMutex(client.send, { ttlMs })
        : new PostgresMutex(pool, { mode: kind, ttlMs });
    expect(await lock.run('killed', () => 'free')).toBe('free');
    expect(performance.now() - startedMs).toBeLessThan(ttlMs + 2_000);
  });
});
