import type { ConnectionPoolEvent } from 'latchkey';
import { describe, expect, it, vi } from 'vitest';
import { postgresPool } from '../../docs/recipes/connection-pool-pg.js';
import { linePool } from '../../docs/recipes/connection-pool-tcp.js';
import { echoesAfter, greetsAsPostgres, neverAnswers, startTcpServer } from '../support/engines/tcp.js';

const patience = { timeout: 10_000 };

describe('a pool on TCP', () => {
  it('gives up on a server that accepts and never answers, and leaves no socket open', async () => {
    await using tarpit = await startTcpServer(neverAnswers);
    await using pool = postgresPool(tarpit.connectionOptions, { max: 4, connectTimeoutMs: 200 });
    const callers = Array.from({ length: 8 }, () => pool.acquire());
    for (const caller of await Promise.allSettled(callers)) {
      expect(caller).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_CONNECT', cause: { name: 'TimeoutError' } },
      });
    }
    expect(tarpit.accepted).toBeGreaterThan(0);
    expect(tarpit.peak).toBeLessThanOrEqual(4);
    await vi.waitFor(() => expect(tarpit.live).toBe(0), patience);
    await vi.waitFor(() => expect(pool.stats()).toMatchObject({ total: 0, abandoned: 0 }), patience);
  });

  it('serves the waiter within closeTimeoutMs of an error, though the peer never hangs up', async () => {
    await using peer = await startTcpServer(greetsAsPostgres, { halfOpen: true });
    const closeTimeoutMs = 300;
    const pool = postgresPool(peer.connectionOptions, { max: 1, closeTimeoutMs });
    const lease = await pool.acquire();
    const waiter = pool.acquire({ waitTimeoutMs: 10_000 });
    lease.release(new Error('the connection is in doubt'));
    (await waiter).release();
    expect(pool.stats()).toMatchObject({ connected: 2, abandoned: 1, waiting: 0 });

    await pool.close();
    expect(pool.stats()).toMatchObject({ total: 0, abandoned: 2 });
  });

  it('drops idle connections at once when the peer resets them', async () => {
    await using server = await startTcpServer(echoesAfter(0));
    const events: ConnectionPoolEvent[] = [];
    const onEvent = (event: ConnectionPoolEvent) => events.push(event);
    await using pool = linePool({ max: 3, onEvent });
    const leases = await Promise.all([1, 2, 3].map(() => pool.acquire(server.connectionOptions)));
    for (const lease of leases) lease.release();
    expect(pool.stats().idle).toBe(3);

    server.reset();

    await vi.waitFor(() => expect(pool.stats()).toMatchObject({ total: 0, keys: 0 }), patience);
    const closed = events.filter((event) => event.type === 'close');
    expect(closed.map(({ reason }) => reason)).toEqual(['lost', 'lost', 'lost']);
    expect(events.filter((event) => event.type === 'hookError')).toEqual([]);
    expect(await pool.use(server.connectionOptions, (client) => client.ask('again'))).toBe('again');
  });

  it('aborts the lease of a connection that the peer resets, and no other one', async () => {
    await using server = await startTcpServer(echoesAfter(60_000));
    await using pool = linePool({ max: 1 });
    const user = pool.use(server.connectionOptions, (client, lease) => {
      const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
      const answer = client.ask('never answered');
      server.reset();
      return Promise.allSettled([answer, lost.then(() => lease.signal.reason)]);
    });
    const waiter = pool.acquire(server.connectionOptions);
    const [answer, lost] = await user;
    expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'ECONNRESET' } });
    expect(lost).toMatchObject({ value: { code: 'ERR_LEASE_LOST', cause: { code: 'ECONNRESET' } } });
    (await waiter).release();
  });

  it('never has more than max sockets at the server, for all its users do', async () => {
    await using server = await startTcpServer(echoesAfter(1));
    await using pool = linePool({ max: 5 });
    const users = Array.from({ length: 200 }, async (_, id) => {
      using lease = await pool.acquire(server.connectionOptions);
      const echo = await lease.connection.ask(String(id));
      if (id % 7 === 0) lease.destroy();
      return echo;
    });
    expect(await Promise.all(users)).toEqual(Array.from({ length: 200 }, (_, id) => String(id)));
    expect(server.peak).toBe(5);
  });
});
