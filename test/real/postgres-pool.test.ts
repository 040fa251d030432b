import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionPool } from 'latchkey';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { postgresPool } from '../../docs/recipes/connection-pool-pg.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { closedPort } from '../support/engines/tcp.js';

const patience = { timeout: 10_000 };

describe('a pool on PostgreSQL', () => {
  let postgres: PostgresServer;

  beforeAll(async () => {
    postgres = await startPostgres({ maxConnections: 12 });
  });

  afterAll(() => postgres[Symbol.asyncDispose]());

  /** The sessions of ordinary users, as the server counts them. */
  async function sessions(): Promise<number> {
    const ours = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = 'app'";
    const [row] = await postgres.admin<{ count: number }>(ours);
    return row?.count ?? 0;
  }

  it('drops four idle connections that the server killed, and the next query works', async () => {
    await using pool = postgresPool(postgres.connectionOptions, { max: 4 });
    const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    for (const lease of leases) lease.release();
    expect(pool.stats()).toMatchObject({ total: 4, idle: 4 });

    await postgres.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");

    await vi.waitFor(() => expect(pool.stats().total).toBe(0), patience);
    expect(await answer(pool)).toBe(42);
  });

  it('never gives a waiter a connection that was killed during its use, 20 times out of 20', async () => {
    await using pool = postgresPool(postgres.connectionOptions, { max: 1 });
    for (let round = 0; round < 20; round++) {
      const victim = pool.use((client) => client.query('SELECT pg_terminate_backend(pg_backend_pid())'));
      const waiter = answer(pool);
      await expect(victim).rejects.toMatchObject({ code: '57P01' });
      expect(await waiter).toBe(42);
    }
    expect(pool.stats().connected).toBe(21);
  });

  it('serves 30 users although the server takes a third of the connections that the pool may open', async () => {
    await using pool = postgresPool(postgres.connectionOptions, { max: 30 });
    const users = Array.from({ length: 30 }, () => answer(pool, 'SELECT 42 AS answer FROM pg_sleep(0.05)'));
    expect(await Promise.all(users)).toEqual(Array(30).fill(42));
    expect(pool.stats().connectFailed).toBeGreaterThan(0);
  });

  it('keeps a connection whose statement failed, and closes one that is left in a transaction', async () => {
    await using pool = postgresPool(postgres.connectionOptions, { max: 1 });
    await expect(answer(pool, 'SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    expect(pool.stats()).toMatchObject({ connected: 1, idle: 1 });

    const broken = pool.use(async (client) => {
      await client.query('BEGIN');
      await client.query('SELECT 1 / 0');
    });
    await expect(broken).rejects.toMatchObject({ code: '22012' });
    expect(await answer(pool)).toBe(42);
    expect(pool.stats().connected).toBe(2);
  });

  it('recovers after the server was down for 3 s under load, and never opens more than max', async () => {
    await using pool = postgresPool(postgres.connectionOptions, { max: 5 });
    const tally = { served: 0, refused: 0 };
    const counts: number[] = [];
    let running = true;
    onTestFinished(() => {
      running = false;
    });
    const whileRunning = async (step: () => Promise<void>) => {
      while (running) await step();
    };
    const user = async () => {
      await answer(pool).then(
        () => tally.served++,
        () => tally.refused++,
      );
      await sleep(5);
    };
    const observer = async () => {
      await sessions().then(
        (count) => counts.push(count),
        () => {},
      );
      await sleep(20);
    };
    const load = Promise.all([...Array(10).fill(user), observer].map(whileRunning));

    await vi.waitFor(() => expect(counts.length).toBeGreaterThan(10), patience);
    await postgres.stop();
    await sleep(3_000);
    const whileAway = { ...tally, dials: pool.stats().connectFailed, polls: counts.length };
    await postgres.start();
    await vi.waitFor(() => expect(tally.served).toBeGreaterThan(whileAway.served + 50), patience);
    await vi.waitFor(() => expect(counts.length).toBeGreaterThan(whileAway.polls + 10), patience);
    running = false;
    await load;

    expect(whileAway.refused).toBeGreaterThan(0);
    expect(whileAway.dials).toBeLessThan(50);
    expect(Math.max(...counts)).toBeLessThanOrEqual(5);
  });

  it('leaves no session on the server once it is closed', async () => {
    const pool = postgresPool(postgres.connectionOptions, { max: 5 });
    await Promise.all(Array.from({ length: 20 }, () => answer(pool)));
    await pool.close();
    expect(await sessions()).toBe(0);
  });

  it('rejects every caller with the reason why a closed port cannot be reached', async () => {
    await using pool = postgresPool(await closedPort(), { max: 2 });
    const callers = Array.from({ length: 10 }, () => answer(pool));
    for (const caller of await Promise.allSettled(callers)) {
      expect(caller).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_CONNECT', cause: { code: 'ECONNREFUSED' } },
      });
    }
    expect(pool.stats()).toMatchObject({ total: 0, waiting: 0 });
    expect(pool.stats().connectFailed).toBeLessThanOrEqual(2);
  });
});

async function answer(
  pool: ConnectionPool<pg.Client>,
  sql = 'SELECT 42 AS answer',
): Promise<number | undefined> {
  const { rows } = await pool.use((client) => client.query<{ answer: number }>(sql));
  return rows[0]?.answer;
}
