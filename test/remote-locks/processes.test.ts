/** Four processes and one database: each holder logs when it held the lock. */
import { once } from 'node:events';
import { PostgresMutex } from 'latchkey/postgres';
import { RedisMutex } from 'latchkey/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { grantsOf, Workers } from './support/processes.js';
import { ioredisClients } from './support/redis-clients.js';
import { type Servers, startServers } from './support/servers.js';

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

describe.each([
  ['redis', 2_500],
  ['session', 2_500],
  ['leaseTable', 100],
] as const)('%s', (kind, grants) => {
  test(`4 processes, ${4 * grants} grants: never two inside, tokens strictly growing`, {
    timeout: 400_000,
  }, async () => {
    await using workers = await Workers.ready();
    const orders = { kind, address: servers.addressOf(kind), key: 'shared', grants, ttlMs: 10_000 };
    for (let i = 0; i < 4; i++) workers.start(orders);
    await workers.ended();
    expect(grantsOf(await workers.events(), new Set())).toBe(4 * grants);
  });

  test('the key of a process that was killed while it held it is free when its lease has ended', async () => {
    await using workers = await Workers.ready();
    const ttlMs = 1_500;
    const child = workers.start({
      kind,
      address: servers.addressOf(kind),
      key: 'killed',
      grants: 1,
      ttlMs,
      keepLast: true,
    });
    await once(child, 'message');
    const startedMs = performance.now();
    child.kill('SIGKILL');
    await using client = ioredisClients(servers.redis.connectionOptions);
    const lock =
      kind === 'redis'
        ? new RedisMutex(client.send, { ttlMs })
        : new PostgresMutex(servers.pool, { mode: kind, ttlMs });
    expect(await lock.run('killed', () => 'free')).toBe('free');
    expect(performance.now() - startedMs).toBeLessThan(ttlMs + 2_000);
  });
});
