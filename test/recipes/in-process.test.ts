/** Recipes that need no server, or start one themselves. */
import { describe, expect, test } from 'vitest';
import { total } from '../../docs/recipes/long-work.js';
import { total as totalNaively } from '../../docs/recipes/naive/long-work.js';
import { sendAll as sendAllNaively } from '../../docs/recipes/naive/partial-failures.js';
import { ReadWriteFlag } from '../../docs/recipes/naive/read-write-lock.js';
import { serverFor as serverForNaively } from '../../docs/recipes/naive/shard-keys.js';
import { exporter as naiveExporter } from '../../docs/recipes/naive/telemetry-queue.js';
import { sendAll } from '../../docs/recipes/partial-failures.js';
import { ReadWriteLock } from '../../docs/recipes/read-write-lock.js';
import { serverFor } from '../../docs/recipes/shard-keys.js';
import { exporter, type Span } from '../../docs/recipes/telemetry-queue.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('partial-failures', () => {
  const users = Array.from({ length: 100 }, (_, i) => `user ${i}`);

  test('every failure is reported with its user, and a high rate raises the alarm', async () => {
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

  test('the naive way reports the first failure only, while the others are still being sent', async () => {
    let underWay = 0;
    const send = async (to: string) => {
      underWay++;
      await turn();
      if (to === 'user 3' || to === 'user 50') throw new Error(to);
      await turn();
      underWay--;
    };
    await expect(sendAllNaively(users, send)).rejects.toThrow('user 3');
    expect(underWay).toBeGreaterThan(90);
  });
});

test('read-write-lock: readers side by side, a writer alone, and later readers do not overtake the writer', async () => {
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

test('telemetry-queue: spans are sent in batches, errors are kept, and a drop is reported', async () => {
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

test('telemetry-queue: a span that comes after the end changes nothing', async () => {
  const spans = exporter(
    async () => {},
    () => {},
  );
  await spans.close();
  spans.record({ name: 'late', failed: true });
  await turn();
});

test('telemetry-queue: the naive buffer keeps the first spans, and reports no drop', async () => {
  const sent: Span[] = [];
  let isSlow = true;
  const spans = naiveExporter(async (batch) => {
    while (isSlow) await turn();
    sent.push(...batch);
  });
  for (let i = 0; i < 3_000; i++) spans.record({ name: `span ${i}`, failed: i % 1_000 === 999 });
  isSlow = false;
  while (sent.length < 2_001) await turn();
  expect(sent.filter(({ failed }) => failed).map(({ name }) => name)).toEqual(['span 999', 'span 1999']);
});

test('shard-keys: by the remainder, a sixth server moves five keys of six', () => {
  const servers = ['a', 'b', 'c', 'd', 'e'];
  const keys = Array.from({ length: 20_000 }, (_, i) => `user:${i}`);
  const moved = keys.filter(
    (key) => serverForNaively(key, servers) !== serverForNaively(key, [...servers, 'f']),
  );
  expect(moved.length / keys.length).toBeCloseTo(5 / 6, 1);
});

test('read-write-lock: with a flag, a reader that began before the reload sees half of it', async () => {
  const flag = new ReadWriteFlag();
  const rules = { prices: 1, discounts: 1 };
  const seen = flag.read(async () => {
    const { prices } = rules;
    await turn();
    await turn();
    return { prices, discounts: rules.discounts };
  });
  await flag.write(async () => {
    rules.prices = 2;
    await turn();
    rules.discounts = 2;
  });
  expect(await seen).toEqual({ prices: 1, discounts: 2 });
});

describe('long-work', () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => ({ price: i, quantity: 1 }));
  async function turnsOthersHad(work: (all: typeof rows) => Promise<number>) {
    let turns = 0;
    const others = setInterval(() => turns++, 1);
    const sum = await work(rows);
    clearInterval(others);
    expect(sum).toBe((200_000 * 199_999) / 2);
    return turns;
  }

  test('the naive way gives promises a turn, and no timer', async () => {
    expect(await turnsOthersHad(totalNaively)).toBe(0);
  });

  test('in slices, timers have theirs', async () => {
    const slow = function* () {
      for (const row of rows) {
        if (row.price % 10_000 === 0)
          for (const untilMs = performance.now() + 3; performance.now() < untilMs; );
        yield row;
      }
    };
    expect(await turnsOthersHad(() => total(slow()))).toBeGreaterThan(0);
  });
});
