/** Recipes for services: databases that go away, partners that refuse, hosts that never answer, deploys. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionPool, Semaphore } from 'latchkey';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { guarded } from '../../docs/recipes/circuit-breaker.js';
import { postgresPool } from '../../docs/recipes/connection-pool-pg.js';
import { LineClient, linePool } from '../../docs/recipes/connection-pool-tcp.js';
import { shutDown } from '../../docs/recipes/graceful-shutdown.js';
import { impatient } from '../../docs/recipes/naive/circuit-breaker.js';
import { ConnectionPerHost } from '../../docs/recipes/naive/connection-per-host.js';
import { get as getNaively } from '../../docs/recipes/naive/rate-limited-api.js';
import { partnerClient } from '../../docs/recipes/rate-limited-api.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { closedPort, echoesAfter, neverAnswers, startTcpServer } from '../support/engines/tcp.js';
import { printed } from '../support/program.js';

const patience = { timeout: 10_000 };

/** A real server, until the test has finished. */
async function serve(listener: RequestListener) {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

describe('circuit-breaker', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const isOpen = { message: expect.stringContaining('circuit breaker is open') };

  test('a database that is stopped is dialled five times, not for every request', async () => {
    await using pool = postgresPool(server.connectionOptions, { max: 2 });
    const run = guarded(pool, 60_000);
    const query = () => run((client) => client.query('select 42'));
    await query();
    await server.stop();
    onTestFinished(() => server.start());
    await vi.waitFor(() => expect(query()).rejects.toMatchObject(isOpen), patience);
    const before = pool.stats();
    for (let i = 0; i < 100; i++) await expect(query()).rejects.toMatchObject(isOpen);
    expect(pool.stats()).toEqual(before);
    expect(before.connectFailed).toBeLessThanOrEqual(5);
  });

  test('when the database is back, requests are answered again without closing the breaker by hand', async () => {
    await using pool = postgresPool(server.connectionOptions, { max: 2 });
    const run = guarded(pool, 100);
    const query = () => run((client) => client.query('select 42'));
    await query();
    await server.stop();
    await vi.waitFor(() => expect(query()).rejects.toMatchObject(isOpen), patience);
    await server.start();
    await vi.waitFor(() => expect(query()).resolves.toMatchObject({ rowCount: 1 }), patience);
    const answers = await Promise.all(Array.from({ length: 20 }, query));
    expect(answers).toHaveLength(20);
  });

  test('callers that hang up and wrong queries do not open it', async () => {
    await using pool = postgresPool(server.connectionOptions, { max: 2 });
    const run = guarded(pool, 60_000);
    for (let i = 0; i < 10; i++) {
      await expect(run((client) => client.query('select wrong'))).rejects.toMatchObject({ code: '42703' });
      await expect(run(async () => {}, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    }
    expect(await run((client) => client.query('select 42'))).toMatchObject({ rowCount: 1 });
  });

  test('the trial call is dialled for at once, even during a long backoff of the pool', async () => {
    const address = await closedPort();
    const longestPause = vi.spyOn(Math, 'random').mockReturnValue(0.999);
    onTestFinished(() => longestPause.mockRestore());
    await using pool = postgresPool({ ...server.connectionOptions, ...address }, { max: 2 });
    const run = guarded(pool, 20);
    const refusals = new Set<string>();
    for (let dials = 0; dials < 10; dials = pool.stats().connectFailed) {
      const error: unknown = await run(async () => {}).catch((reason: unknown) => reason);
      refusals.add((error as { code?: string }).code ?? 'open');
      await sleep(25);
    }
    expect([...refusals]).toEqual(['ERR_CONNECT']);
  });

  test('a server that never answers: the sixth caller waits in the naive way, and does not with the breaker', async () => {
    await using tarpit = await startTcpServer(neverAnswers);
    await using pool = postgresPool(tarpit.connectionOptions, { max: 2, connectTimeoutMs: 5_000 });
    const [naive, run] = [impatient(pool), guarded(pool, 60_000)];
    const five = await Promise.allSettled(Array.from({ length: 5 }, () => run(async () => {})));
    for (const one of five) expect(one).toMatchObject({ reason: { code: 'ERR_WAIT_TIMEOUT' } });
    await expect(run(async () => {})).rejects.toMatchObject(isOpen);
    await expect(naive(async () => {})).rejects.toMatchObject({ code: 'ERR_WAIT_TIMEOUT' });
  });
});

describe('connection-per-host', () => {
  test('one lock over look-up and connect: behind a host that never answers, no other host is dialled', async () => {
    await using tarpit = await startTcpServer(neverAnswers);
    await using alive = await startTcpServer(echoesAfter(0));
    await using pool = linePool({ max: 10 });
    const clients: LineClient[] = [];
    const naive = new ConnectionPerHost(async (port) => {
      const client = new LineClient(connect(Number(port), '127.0.0.1'));
      clients.push(client);
      await client.nextLine();
      return client;
    });
    const addresses = [tarpit, alive].map(({ connectionOptions }) => connectionOptions);
    for (const { port } of addresses) naive.get(String(port)).catch(() => {});
    const [dead, answer] = addresses.map((address) => pool.use(address, (client) => client.ask('hello')));
    dead?.catch(() => {});
    expect(await answer).toBe('hello');
    // That was the pool's. The naive one still waits behind the lock.
    expect([alive.accepted, clients.length]).toEqual([1, 1]);
    for (const { socket } of clients) socket.destroy();
  });
});

describe('rate-limited-api', () => {
  const inTwoSeconds = () => new Date(Date.now() + 2_000).toUTCString();

  test('Retry-After is obeyed, in seconds and as a date, and the server gets no request before', async () => {
    let requests = 0;
    const { url } = await serve((_request, response) => {
      requests++;
      if (requests <= 2) response.writeHead(429, { 'retry-after': '0.05' }).end();
      // Dates have whole seconds.
      else if (requests === 3) response.writeHead(429, { 'retry-after': inTwoSeconds() }).end();
      else if (requests === 4) response.writeHead(404).end();
      else response.end('the answer');
    });
    const get = partnerClient();
    const startedMs = performance.now();
    await expect(get(url)).rejects.toMatchObject({ status: 404 });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
    expect(await get(url)).toBe('the answer');
    expect(requests).toBe(5);
  });

  test('one refusal pauses every call until the time is over', async () => {
    const arrivals: number[] = [];
    const { url } = await serve((_request, response) => {
      arrivals.push(performance.now());
      if (arrivals.length === 1) response.writeHead(429, { 'retry-after': '1' }).end();
      else response.end('the answer');
    });
    let told = () => {};
    const refused = new Promise<void>((resolve) => {
      told = resolve;
    });
    const get = partnerClient(async (...args) => {
      const response = await fetch(...args);
      told();
      return response;
    });
    const first = get(url);
    await refused;
    await new Promise((resolve) => setImmediate(resolve));
    const others = Array.from({ length: 5 }, () => get(url));
    expect(await Promise.all([first, ...others])).toEqual(Array(6).fill('the answer'));
    const [refusedAt = 0, ...later] = arrivals;
    expect(Math.min(...later) - refusedAt).toBeGreaterThan(950);
  });

  test.each(['9999999999', '1e999', '61'])(
    'Retry-After: %s fails that call at once, and the others go on',
    async (header) => {
      let calls = 0;
      const get = partnerClient(async () => {
        calls++;
        if (calls > 1) return new Response('the answer');
        return new Response('slow down', { status: 429, headers: { 'retry-after': header } });
      });
      await expect(get('https://partner.example/')).rejects.toMatchObject({ status: 429 });
      expect(await get('https://partner.example/')).toBe('the answer');
      expect(calls).toBe(2);
    },
  );

  test('the naive way asks four times at once, although it is refused', async () => {
    let requests = 0;
    const { url } = await serve((_request, response) => {
      requests++;
      response.writeHead(429, { 'retry-after': '60' }).end();
    });
    await expect(getNaively(url)).rejects.toThrow('status 429');
    expect(requests).toBe(4);
  });
});

describe('graceful-shutdown', () => {
  test('running requests end, waiting ones are refused, and the pool is closed last', async () => {
    const limit = new Semaphore(1);
    const closed: string[] = [];
    const pool = new ConnectionPool<object>(
      { connect: () => ({}), close: () => void closed.push('connection') },
      { max: 1 },
    );
    const { server, url } = await serve((_request, response) => {
      const work = limit.run(() => pool.use(() => sleep(400)));
      work.then(
        () => response.end('whole'),
        () => response.writeHead(503).end(),
      );
    });
    const running = fetch(url).then((response) => response.text());
    await vi.waitFor(() => expect(limit.held).toBe(1), patience);
    const waiting = fetch(url).then((response) => response.status);
    await vi.waitFor(() => expect(limit.waiting).toBe(1), patience);
    const startedMs = performance.now();
    await shutDown({ server, limits: [limit], pools: [pool] }, { noticeMs: 20 });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect([await running, await waiting]).toEqual(['whole', 503]);
    expect(closed).toEqual(['connection']);
    await expect(fetch(url)).rejects.toThrow();
  });

  test('under load no request is cut off: until all clients know of it, requests are served', async () => {
    const limit = new Semaphore(50);
    const { server, url } = await serve((_request, response) => {
      void limit.run(() => sleep(5)).then(() => response.end('whole'));
    });
    const elsewhere = new AbortController();
    let served = 0;
    const client = async () => {
      for (; !elsewhere.signal.aborted; served++) expect(await (await fetch(url)).text()).toBe('whole');
    };
    const clients = Promise.all(Array.from({ length: 20 }, client));
    await vi.waitFor(() => expect(served).toBeGreaterThan(50), patience);
    // Long, because the clients below must have stopped before: on a busy machine a request takes 100 ms.
    const isShut = shutDown({ server, limits: [limit], pools: [] }, { noticeMs: 3_000 });
    const before = served;
    // One more than may have been under way.
    await vi.waitFor(() => expect(served).toBeGreaterThan(before + 20), patience);
    elsewhere.abort();
    await clients;
    await isShut;
    expect(server.listening).toBe(false);
  });

  test('a client that keeps its connection is asked to close it', async () => {
    const { server, url } = await serve((_request, response) => response.end('whole'));
    const told = async () => (await fetch(url)).headers.get('connection');
    expect(await told()).toBe('keep-alive');
    const isShut = shutDown({ server, limits: [], pools: [] }, { noticeMs: 2_000 });
    expect(await told()).toBe('close');
    await isShut;
  });

  test('a task that never ends delays it for the grace period', async () => {
    const limit = new Semaphore(1);
    const { server, url } = await serve(() => void limit.run(() => new Promise(() => {})));
    const cut = expect(fetch(url)).rejects.toThrow();
    await vi.waitFor(() => expect(limit.held).toBe(1), patience);
    await shutDown({ server, limits: [limit], pools: [] }, { noticeMs: 0, graceMs: 100 });
    await cut;
  });

  test('the naive way ends between the first row and the second', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-exit-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const program = `
      import { setTimeout as sleep } from 'node:timers/promises';
      import { endOnSigterm } from './docs/recipes/naive/graceful-shutdown.js';
      endOnSigterm();
      console.log('first row');
      process.kill(process.pid, 'SIGTERM');
      await sleep(5_000);
      console.log('second row');
    `;
    expect(await printed(program, path.join(folder, 'service.mjs'))).toBe('first row\n');
  });
});
