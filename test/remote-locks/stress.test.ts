/**
 * Processes that are killed and stopped at random while they take one lock. Afterwards no process that has ended
 * holds it. `LATCHKEY_STRESS_SECONDS=60 npx vitest run test/remote-locks/stress` runs it for longer.
 */
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { grantsOf, Workers } from './support/processes.js';
import { pause, until } from './support/real-time.js';
import { ioredisClients } from './support/redis-clients.js';
import { type Servers, startServers } from './support/servers.js';

const seconds = Number(process.env['LATCHKEY_STRESS_SECONDS'] ?? 3);
const ttlMs = 600;

let servers: Servers;
beforeAll(async () => {
  servers = await startServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

/** How many locks are held, by the database itself. */
const held = {
  session: async () =>
    (await servers.postgres.admin("select from pg_locks where locktype = 'advisory'")).length,
  leaseTable: async () =>
    (await servers.pool.query('select from latchkey_leases where expires_at > clock_timestamp()')).rowCount!,
  redis: async () => {
    await using client = ioredisClients(servers.redis.connectionOptions);
    return ((await client.send(['KEYS', '*:lock'])) as string[]).length;
  },
};

describe.each(['session', 'leaseTable', 'redis'] as const)('%s', (kind) => {
  /** Four workers and a fault of one of them after the other. Resolves with the processes that were killed. */
  async function disturbed(workers: Workers, mayStop: boolean): Promise<Set<number>> {
    const killed = new Set<number>();
    const address = servers.addressOf(kind);
    const start = () => workers.start({ kind, address, key: 'stress', grants: 1_000_000, ttlMs });
    const children = Array.from({ length: 4 }, start);
    const kill = (child: ChildProcess) => {
      killed.add(child.pid!);
      child.kill('SIGKILL');
    };
    const events = async () => (await workers.events()).length;
    await until(async () => (await events()) > 0);
    const untilMs = performance.now() + 1_000 * seconds;
    while (performance.now() < untilMs) {
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
  const timeout = 60_000 + 1_000 * seconds;

  test('processes killed at random: one holder at a time, tokens grow, and nothing stays held', {
    timeout,
  }, async () => {
    await using workers = await Workers.ready();
    const killed = await disturbed(workers, false);
    const grants = grantsOf(await workers.events(), killed);
    expect(grants).toBeGreaterThan(0);
    await until(async () => (await held[kind]()) === 0);
    if (process.env['LATCHKEY_STRESS_SECONDS'])
      console.log(`${kind}: ${grants} grants, ${killed.size} killed`);
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
    await until(async () => (await held[kind]()) === 0);
  });
});
