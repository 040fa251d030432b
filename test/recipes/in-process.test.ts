/** Recipes that need no server but what they bring along. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConnectionPool, Semaphore } from 'latchkey';
import { describe, expect, test } from 'vitest';
import { guarded } from '../../docs/recipes/circuit-breaker.js';
import { shutDown } from '../../docs/recipes/graceful-shutdown.js';
import { type Accounts, transfer } from '../../docs/recipes/money-transfer.js';
import { sendAll } from '../../docs/recipes/partial-failures.js';
import { partnerClient } from '../../docs/recipes/rate-limited-api.js';
import { ReadWriteLock } from '../../docs/recipes/read-write-lock.js';
import { serverFor } from '../../docs/recipes/shard-keys.js';
import { exporter, type Span } from '../../docs/recipes/telemetry-queue.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('partial-failures', () => {
  const users = Array.from({ length: 100 }, (_, i) => `user ${i}`);

  test('every failure is known with its user, and a rate of them calls somebody', async () => {
    const alerts: string[] = [];
    const failing = new Set(['user 3', 'user 50', 'user 99']);
    const send = async (to: string) => {
      await turn();
      if (failing.has(to)) throw new Error(`no such mailbox: ${to}`);
    };
    const report = await sendAll(users, send, (message) => void alerts.push(message));
    expect([report.sent, new Set(report.failed.map(({ to }) => to))]).toEqual([97, failing]);
    expect(alerts).toEqual([expect.stringContaining('3 mails failed, 0 were not tried')]);
  });

  test('a mail server that is down is not asked ten thousand times', async () => {
    let asked = 0;
    const down = () => {
      asked++;
      return Promise.reject(new Error('refused'));
    };
    await sendAll(users, down, () => {});
    expect(asked).toBeLessThan(40);
  });
});

test('read-write-lock: readers side by side, a writer alone, and readers who come later do not overtake him', async () => {
  const lock = new ReadWriteLock();
  const log: string[] = [];
  const read = (name: string) =>
    lock.read(async () => {
      log.push(`+${name}`);
      await turn();
      log.push(`-${name}`);
    });
  const write = lock.write.bind(lock, async () => {
    log.push('+w');
    await turn();
    log.push('-w');
  });
  await Promise.all([read('a'), read('b'), write(), read('c')]);
  expect(log).toEqual(['+a', '+b', '-a', '-b', '+w', '-w', '+c', '-c']);
});

describe('money-transfer', () => {
  function bank() {
    const balances = new Map([
      ['ann', 100],
      ['bob', 100],
      ['cid', 100],
    ]);
    const accounts: Accounts = {
      async read(id) {
        await turn();
        return balances.get(id) ?? 0;
      },
      async write(id, balance) {
        await turn();
        balances.set(id, balance);
      },
    };
    const total = () => [...balances.values()].reduce((a, b) => a + b, 0);
    return { accounts, balances, total };
  }
  const pairs = [
    ['ann', 'bob'],
    ['bob', 'ann'],
    ['bob', 'cid'],
    ['cid', 'ann'],
  ] as const;

  test('in all directions at once: nothing hangs, nothing is lost, nobody is overdrawn', async () => {
    const { accounts, balances, total } = bank();
    await Promise.all(
      pairs.flatMap(([from, to]) => [60, 60].map((sum) => transfer(accounts, from, to, sum))),
    );
    expect(total()).toBe(300);
    expect(Math.min(...balances.values())).toBeGreaterThanOrEqual(0);
  });

  test('the naive way loses money', async () => {
    const { accounts, total } = bank();
    const naive = async (from: string, to: string, sum: number) => {
      const balance = await accounts.read(from);
      if (balance < sum) return;
      await accounts.write(from, balance - sum);
      await accounts.write(to, (await accounts.read(to)) + sum);
    };
    await Promise.all([naive('ann', 'bob', 60), naive('cid', 'bob', 60)]);
    expect(total()).toBe(240);
  });
});

const inTwoSeconds = () => new Date(Date.now() + 2_000).toUTCString();

test('rate-limited-api: Retry-After is obeyed, seconds and date, and a real server is not asked more than it has to be', async () => {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    if (requests <= 2) response.writeHead(429, { 'retry-after': '0.05' }).end();
    // Dates have whole seconds.
    else if (requests === 3) response.writeHead(429, { 'retry-after': inTwoSeconds() }).end();
    else if (requests === 4) response.writeHead(404).end();
    else response.end('the answer');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const get = partnerClient();
  const startedMs = performance.now();
  await expect(get(url)).rejects.toMatchObject({ status: 404 });
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
  expect(await get(url)).toBe('the answer');
  expect(requests).toBe(5);
  server.closeAllConnections();
  server.close();
});

describe('circuit-breaker', () => {
  const isOutage = (error: unknown) => (error as { code?: string }).code === 'ERR_CONNECT';

  test('after five outages in a row it fails at once, without a dial', async () => {
    let dials = 0;
    const pool = new ConnectionPool<object>(
      {
        connect() {
          dials++;
          throw new Error('refused');
        },
        close() {},
      },
      { max: 2 },
    );
    const query = guarded(pool, isOutage, 60_000);
    for (let i = 0; i < 5; i++) {
      await expect(query(async () => 'rows')).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    }
    const before = dials;
    await expect(query(async () => 'rows')).rejects.toThrow('circuit breaker is open');
    expect(dials).toBe(before);
    await pool.close();
  });

  test('callers who hang up and queries that are wrong do not open it', async () => {
    const pool = new ConnectionPool<object>({ connect: () => ({}), close() {} }, { max: 2 });
    const query = guarded(pool, isOutage, 60_000);
    for (let i = 0; i < 10; i++) {
      await query(() => Promise.reject(new Error('syntax error'))).catch(() => {});
      await query(async () => 'rows', AbortSignal.abort()).catch(() => {});
    }
    expect(await query(async () => 'rows')).toBe('rows');
    await pool.close();
  });
});

test('telemetry-queue: all is sent in batches, errors first of all; a drop is told', async () => {
  const sent: Span[] = [];
  const warnings: string[] = [];
  let isSlow = true;
  const spans = exporter(
    async (batch) => {
      while (isSlow) await turn();
      sent.push(...batch);
    },
    (message) => void warnings.push(message),
  );
  for (let i = 0; i < 3_000; i++) spans.record({ name: `span ${i}`, failed: i % 1_000 === 999 });
  await turn();
  expect(warnings).toHaveLength(1);
  isSlow = false;
  await spans.close();
  expect(sent.length).toBeGreaterThan(1_800);
  expect(sent.length).toBeLessThanOrEqual(2_000);
  expect(sent.filter(({ failed }) => failed).length).toBeGreaterThanOrEqual(1);
});

test('shard-keys: fair shares, and a sixth server takes a sixth of the keys, from all the others', () => {
  const servers = ['a', 'b', 'c', 'd', 'e'].map((name) => `cache-${name}`);
  const keys = Array.from({ length: 20_000 }, (_, i) => `user:${i}`);
  const shares = new Map<string, number>();
  for (const key of keys) {
    const server = serverFor(key, servers);
    shares.set(server, (shares.get(server) ?? 0) + 1);
    expect(serverFor(key, [...servers].reverse())).toBe(server);
  }
  expect(Math.max(...shares.values()) / (keys.length / 5)).toBeLessThan(1.05);
  const moved = keys.filter((key) => serverFor(key, servers) !== serverFor(key, [...servers, 'cache-f']));
  expect(moved.length / keys.length).toBeCloseTo(1 / 6, 1);
  expect(moved.every((key) => serverFor(key, [...servers, 'cache-f']) === 'cache-f')).toBe(true);
});

test('graceful-shutdown: what runs ends, what waits is told, and the pool is closed last', async () => {
  const limit = new Semaphore(1);
  const closed: string[] = [];
  const pool = new ConnectionPool<object>(
    { connect: () => ({}), close: () => void closed.push('connection') },
    { max: 1 },
  );
  const server = createServer((_request, response) => {
    const work = limit.run(() => pool.use(() => new Promise((resolve) => setTimeout(resolve, 300))));
    work.then(
      () => response.end('whole'),
      () => response.writeHead(503).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const running = fetch(url).then((response) => response.text());
  await new Promise((resolve) => setTimeout(resolve, 30));
  const waiting = fetch(url).then((response) => response.status);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const startedMs = performance.now();
  await shutDown({ server, limits: [limit], pools: [pool] }, 10_000);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect([await running, await waiting]).toEqual(['whole', 503]);
  expect(closed).toEqual(['connection']);
  await expect(fetch(url)).rejects.toThrow();
});
