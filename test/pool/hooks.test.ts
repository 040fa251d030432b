/** What a hook that throws causes, for each hook; and the context in which hooks are called. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ConnectionPool, type ConnectionPoolEvent, type Connector } from 'latchkey';
import { describe, expect, test } from 'vitest';

const bug = new Error('a hook that throws');
const boom = (): never => {
  throw bug;
};

/** A pool with these hooks, and its hookError events. */
function poolWith(hooks: Partial<Connector<object, string>>, leasesPerConnection = 1) {
  const errors: ConnectionPoolEvent[] = [];
  const onEvent = (event: ConnectionPoolEvent) => {
    if (event.type === 'hookError') errors.push(event);
  };
  const connector = { connect: () => ({}), close() {}, ...hooks };
  const settings = { max: 1, validateAfterIdleMs: 0, leasesPerConnection, onEvent };
  return { pool: new ConnectionPool<object, string>(connector, settings), errors };
}

describe('a hook that throws causes a hookError event and counts as no', () => {
  const rows: [hook: 'isAlive' | 'isReusable' | 'ref' | 'unref' | 'close', connected: number][] = [
    ['isAlive', 2],
    ['isReusable', 2],
    ['ref', 1],
    ['unref', 1],
    ['close', 1],
  ];
  test.each(rows)('%s', async (hook, connected) => {
    const { pool, errors } = poolWith({ [hook]: boom });
    const lease = await pool.acquire('a');
    lease.release(hook === 'isReusable' ? new Error('broken') : undefined);
    await pool.use('a', () => 'value');
    expect(pool.stats()).toMatchObject({ connected, leased: 0 });
    await pool.close();
    expect(errors[0]).toEqual({ type: 'hookError', key: 'a', hook, error: bug });
  });

  test.each(['validate', 'reset'] as const)('%s', async (hook) => {
    const { pool, errors } = poolWith({ [hook]: boom });
    await pool.use('a', () => 'value');
    await pool.use('a', () => 'value');
    expect(pool.stats().connected).toBe(2);
    await pool.close();
    expect(errors[0]).toEqual({ type: 'hookError', key: 'a', hook, error: bug });
  });
});

describe('what a hook answers', () => {
  test('isAlive and isReusable mean yes only when they say true', async () => {
    for (const answer of [undefined, 1, 'yes', {}, false]) {
      const isAlive = () => answer as boolean;
      const { pool } = poolWith({ isAlive });
      await pool.use('a', () => 'value');
      await pool.use('a', () => 'value');
      expect([answer, pool.stats().connected]).toEqual([answer, 2]);
      await pool.close();
      const other = poolWith({ isReusable: () => answer as boolean }).pool;
      (await other.acquire('a')).release(new Error('broken'));
      await other.use('a', () => 'value');
      expect([answer, other.stats().connected]).toEqual([answer, 2]);
      await other.close();
    }
  });

  test('keyId decides which keys are one', async () => {
    const keyId = (key: string) => key.toLowerCase();
    const { pool } = poolWith({ keyId });
    const connection = await pool.use('A', (own) => own);
    expect(await pool.use('a', (own) => own === connection)).toBe(true);
    pool.reset('a');
    await pool.use('A', () => 'value');
    expect(pool.stats()).toMatchObject({ connected: 2, keys: 1 });
    await pool.close();
  });

  test('reset lets a connection go on when it is done, and is not asked where there is none', async () => {
    const resets: unknown[] = [];
    const reset = (connection: object) => void resets.push(connection);
    const { pool } = poolWith({ reset });
    const connection = await pool.use('a', (own) => own);
    expect(await pool.use('a', (own) => own === connection)).toBe(true);
    await pool.close();
    expect(resets).toEqual([connection, connection]);
  });

  test('without ref and unref, the methods of a connection that has both are called; with one of the hooks they are not', async () => {
    const calls: string[] = [];
    const connection = { ref: () => calls.push('ref'), unref: () => calls.push('unref') };
    const { pool } = poolWith({ connect: () => connection });
    await pool.use('a', () => calls.push('used'));
    expect(calls).toEqual(['ref', 'used', 'unref']);
    const { pool: hooked } = poolWith({ connect: () => connection, unref: () => calls.push('hook') });
    await hooked.use('a', () => {});
    expect(calls).toEqual(['ref', 'used', 'unref', 'hook']);
    const halves = [{ unref: () => calls.push('half') }, Object.defineProperty({}, 'ref', { get: boom })];
    for (const half of halves) {
      const { pool: plain } = poolWith({ connect: () => half });
      await plain.use('a', () => {});
      await plain.close();
    }
    expect(calls).toHaveLength(4);
    await pool.close();
    await hooked.close();
  });

  test('ref alone, or unref alone, is enough to be called', async () => {
    for (const hook of ['ref', 'unref'] as const) {
      const called: unknown[] = [];
      const { pool } = poolWith({ [hook]: (connection: object) => void called.push(connection) });
      const connection = await pool.use('a', (own) => own);
      expect([hook, called]).toEqual([hook, [connection]]);
      await pool.close();
    }
  });
});

test("every hook runs in the pool's context, not in the caller's", async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: [hook: string, context: string | undefined][] = [];
  const noting =
    <T>(hook: string, answer: T) =>
    () => {
      seen.push([hook, storage.getStore()]);
      return answer;
    };
  const hooks: Partial<Connector<object, string>> = {
    connect: noting('connect', {}),
    close: noting('close', undefined),
    isAlive: noting('isAlive', true),
    validate: noting('validate', true),
    reset: noting('reset', undefined),
    isReusable: noting('isReusable', true),
    ref: noting('ref', undefined),
    unref: noting('unref', undefined),
    keyId: noting('keyId', 'a'),
  };
  const { pool } = storage.run('the pool', () => poolWith(hooks));
  await storage.run('a request', async () => {
    await pool.use('a', () => 'value');
    (await pool.acquire('a')).release(new Error('harmless'));
    await pool.close();
  });
  expect(new Set(seen.map(([hook]) => hook))).toEqual(new Set(Object.keys(hooks)));
  expect(new Set(seen.map(([, context]) => context))).toEqual(new Set(['the pool']));
});
