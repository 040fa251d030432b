/** A replica that is promoted: what it has heard of is still locked, and what it has not heard of is fenced. */
import { RedisMutex, RedisSemaphore, type RedisSend } from 'latchkey/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../remote-locks/support/real-time.js';
import { ioredisClients, type RedisClients } from '../remote-locks/support/redis-clients.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';

let servers: RedisServer[];
let clients: [RedisClients, RedisClients];
let primary: RedisClients;
/** What a client that follows a failover does. */
const send: RedisSend = (args) => primary.send(args);

beforeAll(async () => {
  servers = await Promise.all([1, 2].map(() => startRedis({ 'repl-diskless-sync-delay': '0' })));
  clients = servers.map(({ connectionOptions }) => ioredisClients(connectionOptions)) as typeof clients;
});
afterAll(async () => {
  for (const client of clients) await client[Symbol.asyncDispose]();
  for (const server of servers) await server[Symbol.asyncDispose]();
});

async function replicating(): Promise<void> {
  const [first, second] = clients;
  await first.send(['REPLICAOF', 'NO', 'ONE']);
  primary = first;
  await second.send(['REPLICAOF', '127.0.0.1', String(servers[0]!.connectionOptions.port)]);
  await until(async () =>
    String(await second.send(['INFO', 'replication'])).includes('master_link_status:up'),
  );
}

async function promoted(): Promise<void> {
  await clients[1].send(['REPLICAOF', 'NO', 'ONE']);
  primary = clients[1];
}

describe.each(['mutex', 'semaphore'] as const)('%s', (kind) => {
  const lockOf = () => {
    if (kind === 'semaphore') return new RedisSemaphore(send, 1, { name: 'key', ttlMs: 3_000 });
    const mutex = new RedisMutex(send, { ttlMs: 3_000 });
    return { acquire: () => mutex.acquire('key'), tryAcquire: () => mutex.tryAcquire('key') };
  };

  test('a lock that the replica knows is held after its promotion, renewed, and freed by its holder alone', async () => {
    await replicating();
    const [one, other] = [lockOf(), lockOf()];
    const lease = await one.acquire();
    await primary.send(['WAIT', '1', '0']);
    await promoted();
    expect(await other.tryAcquire()).toBeUndefined();
    const left = () =>
      primary.send(['PTTL', `latchkey:{${kind}:key}:${kind === 'mutex' ? 'lock' : 'places'}`]);
    const before = Number(await left());
    // Time runs down, until a renewal on the new primary prolongs it.
    let lowest = before;
    await until(async () => {
      const now = Number(await left());
      if (now > lowest) return true;
      lowest = now;
      return false;
    });
    expect(lease.signal.aborted).toBe(false);
    await lease.release();
    const next = await other.tryAcquire();
    expect(next!.token > lease.token).toBe(true);
    await next!.release();
  });

  test('a lock that the replica has not heard of is granted twice, the holder learns it, and the tokens fence it', async () => {
    await replicating();
    await clients[1].send(['REPLICAOF', 'NO', 'ONE']);
    const [one, other] = [lockOf(), lockOf()];
    const lease = await one.acquire();
    await promoted();
    const next = await other.acquire();
    expect(next.token > lease.token).toBe(true);
    await until(async () => lease.signal.aborted);
    await lease.release();
    expect(next.signal.aborted).toBe(false);
    await next.release();
  });
});
