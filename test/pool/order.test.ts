/** Pools with an order: the waiters of one key are served and refused as the order says, and the pool counts them right. */
import { ConnectionPool, type ConnectionPoolOptions, type QueueFullError } from 'latchkey';
import { controlledDelay, fairShare } from 'latchkey/overload';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualTime, settled } from '../support/manual-time.js';

const time = new ManualTime();
beforeEach(() => time.install());
afterEach(() => time.uninstall());

/** A pool whose only connection is leased, and callers that are noted when they get it. */
async function leased(options: ConnectionPoolOptions<string>) {
  const pool = new ConnectionPool<object, string>(
    { connect: () => ({}), close() {} },
    { max: 1, ...options },
  );
  const lease = await pool.acquire('a');
  const events: string[] = [];
  const ask = (name: string, key = 'a') =>
    pool
      .use(key, () => void events.push(name), { partition: name[0] })
      .catch((error: QueueFullError) => events.push(`${name}: ${error.code} ${error.retryAfterMs}`));
  return { pool, lease, events, ask };
}

test('CD2, CD3: under overload the newest waiter of a key is served, and late ones are refused at once', async () => {
  const { pool, lease, events, ask } = await leased({
    order: controlledDelay({ targetMs: 5, intervalMs: 100 }),
  });
  void ask('a1');
  void ask('a2');
  time.nowMs += 400;
  void ask('a3');
  await settled();
  expect(events).toEqual(['a1: ERR_QUEUE_FULL 400', 'a2: ERR_QUEUE_FULL 400']);
  expect(pool.stats()).toMatchObject({ leased: 1, waiting: 1 });
  void ask('a4');
  time.nowMs += 50;
  lease.release();
  await settled();
  expect(events.slice(2).sort()).toEqual(['a3: ERR_QUEUE_FULL 450', 'a4']);
  expect(pool.stats()).toMatchObject({ idle: 1, leased: 0, waiting: 0 });
  await pool.close();
});

test('a queue of another key is an order of its own', async () => {
  const { pool, lease, events, ask } = await leased({
    order: controlledDelay({ targetMs: 5, intervalMs: 100 }),
  });
  void ask('a1');
  time.nowMs += 400;
  void ask('b1', 'b');
  await settled();
  expect(events).toEqual([]);
  lease.release();
  await settled();
  expect(events[0]).toBe('a1');
  await pool.close();
});

test('FS1: partitions of a key take turns', async () => {
  const { pool, lease, events, ask } = await leased({ order: fairShare() });
  for (const name of ['x1', 'x2', 'x3', 'y1', 'y2']) void ask(name);
  lease.release();
  await settled();
  expect(events).toEqual(['x1', 'y1', 'x2', 'y2', 'x3']);
  expect(pool.stats().waiting).toBe(0);
  await pool.close();
});

test('a share that throws rejects its caller, and no other', async () => {
  const share = (partition: unknown) => {
    if (partition === 'x') throw new Error('no such tenant');
    return 1;
  };
  const { pool, lease, events, ask } = await leased({ order: fairShare({ share }) });
  const refused = pool.use('a', () => {}, { partition: 'x' });
  void ask('y1');
  await expect(refused).rejects.toThrow('no such tenant');
  expect(pool.stats().waiting).toBe(1);
  lease.release();
  await settled();
  expect([events, pool.stats().waiting]).toEqual([['y1'], 0]);
  await pool.close();
});

test('a pool with one target takes a partition without a key', async () => {
  const pool = new ConnectionPool({ connect: () => ({}), close() {} }, { max: 1, order: fairShare() });
  expect(await pool.use(() => 'served', { partition: 'x' })).toBe('served');
  (await pool.acquire({ partition: 'y' })).release();
  expect([...pool.keys()]).toEqual([undefined]);
  await pool.close();
});
