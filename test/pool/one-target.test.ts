/** The pool's public face: what a call means with and without a key, and what `use` does with its lease. */
import { runInNewContext } from 'node:vm';
import { ConnectionPool, type ConnectionPoolEvent, type ConnectionPoolOptions } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { watch } from '../support/lock-likes.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A pool that notes for which keys it is asked, and what it tells. */
function noting(options: ConnectionPoolOptions = {}) {
  const keys: unknown[] = [];
  const events: ConnectionPoolEvent[] = [];
  const connect = (key: unknown) => {
    keys.push(key);
    return { of: key };
  };
  const connector = { connect, close() {}, isReusable: () => true };
  const pool = new ConnectionPool<object>(connector, { ...options, onEvent: (event) => events.push(event) });
  return { pool, keys, events, types: () => events.map(({ type }) => type) };
}

describe('one argument of acquire', () => {
  class Terms {
    signal = undefined;
  }
  const { signal } = new AbortController();
  const rows: [what: string, argument: unknown, isOptions: boolean][] = [
    ['nothing', undefined, true],
    ['an empty object', {}, true],
    ['a signal', { signal }, true],
    ['a timeout', { waitTimeoutMs: 5 }, true],
    ['both', { signal, waitTimeoutMs: 5 }, true],
    ['an object with more than that', { signal, host: 'a' }, false],
    ['an object of something else', { host: 'a' }, false],
    ['an object of a class', new Terms(), false],
    ['options without a prototype', Object.assign(Object.create(null), { signal }), true],
    ['options of another realm', runInNewContext('({ waitTimeoutMs: 5 })'), true],
    ['null', null, false],
    ['a string', 'signal', false],
    ['a function', () => {}, false],
  ];
  test.each(rows)('%s', async (_what, argument, isOptions) => {
    const { pool, keys } = noting();
    const lease = await pool.acquire(argument as never);
    expect(keys).toEqual([isOptions ? undefined : argument]);
    expect(lease.key).toBe(isOptions ? undefined : argument);
    lease.release();
    await pool.close();
  });

  test('where keyId tells keys apart, one object is a key, whatever it looks like', async () => {
    const dialled: unknown[] = [];
    const connect = (key: { partition?: number }) => dialled.push(key.partition);
    const pool = new ConnectionPool({ connect, close() {}, keyId: ({ partition }) => partition });
    const lease = await pool.acquire({ partition: 7 });
    lease.release();
    await pool.use({ partition: 8 }, () => {});
    expect([lease.key, dialled]).toEqual([{ partition: 7 }, [7, 8]]);
    await pool.close();
  });

  test('use(key, task) takes a function for a key, such as the class of a model', async () => {
    class Model {}
    const { pool, keys } = noting();
    const use = pool.use.bind(pool) as (key: unknown, task: () => string) => Promise<string>;
    await expect(use(Model, () => 'value')).resolves.toBe('value');
    expect(keys).toEqual([Model]);
    await pool.close();
  });

  test('the options are heeded, with a key and without', async () => {
    const { pool } = noting({ max: 1 });
    const holder = await pool.acquire();
    const calls = [
      pool.acquire({ waitTimeoutMs: 5 }),
      pool.acquire(undefined, { waitTimeoutMs: 5 }),
      pool.use(() => 'never', { waitTimeoutMs: 5 }),
      pool.use(undefined, () => 'never', { waitTimeoutMs: 5 }),
    ].map((call) => watch<unknown>(call));
    await vi.advanceTimersByTimeAsync(5);
    for (const { reason } of calls) expect(reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT', waitedMs: 5 });
    for (const { reason } of calls) expect((reason as Error).message).not.toContain('undefined');
    expect(pool.stats()).toMatchObject({ waiting: 0, timedOut: 4 });
    holder.release();
    await pool.close();
  });

  test('without waitTimeoutMs a caller waits 30 s, or as long as the pool says', async () => {
    for (const [options, waitMs] of [
      [{}, 30_000],
      [{ waitTimeoutMs: 7 }, 7],
    ] as const) {
      const { pool } = noting({ max: 1, ...options });
      const holder = await pool.acquire();
      const waiter = watch(pool.acquire());
      await vi.advanceTimersByTimeAsync(waitMs - 1);
      expect(waiter.state).toBe('pending');
      await vi.advanceTimersByTimeAsync(1);
      expect(waiter.reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT' });
      holder.release();
      await pool.close();
    }
  });
});

describe('use', () => {
  test('gives the task its connection and the lease, dialled for it or idle', async () => {
    const { pool } = noting();
    for (let i = 0; i < 2; i++) {
      const seen = await pool.use((connection, lease) => [connection, lease.connection, lease.released]);
      expect(seen).toEqual([{ of: undefined }, { of: undefined }, false]);
    }
    expect(pool.stats()).toMatchObject({ connected: 1, acquired: 2, idle: 1 });
    await pool.close();
  });

  test('a task may end its lease itself, whichever way the task ends', async () => {
    const { pool, types } = noting();
    await pool.use((_connection, lease) => lease.release());
    const bug = new Error('too late');
    const failing = pool.use(async (_connection, lease) => {
      lease.release();
      throw bug;
    });
    await expect(failing).rejects.toBe(bug);
    expect(types()).toEqual(['connect']);
    expect(pool.stats()).toMatchObject({ connected: 1, idle: 1 });
    await pool.close();
  });

  test('a task that throws at once rejects, on an idle connection, too', async () => {
    const { pool } = noting();
    const bug = new Error('at once');
    for (let i = 0; i < 2; i++) {
      const call = () =>
        pool.use(() => {
          throw bug;
        });
      await expect(call()).rejects.toBe(bug);
    }
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
    await pool.close();
  });
});

describe('the end', () => {
  test('await using closes the pool', async () => {
    const { pool, types } = noting();
    {
      await using scoped = pool;
      await scoped.use(() => 'value');
    }
    expect([pool.stats().total, types()]).toEqual([0, ['connect', 'close']]);
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('leases have 10 s to come back, or as long as is said', async () => {
    for (const [options, graceMs] of [
      [undefined, 10_000],
      [{}, 10_000],
      [{ graceMs: 50 }, 50],
    ] as const) {
      const { pool } = noting();
      const lease = await pool.acquire();
      const closed = watch(pool.close(options));
      await vi.advanceTimersByTimeAsync(graceMs - 1);
      expect([closed.state, lease.signal.aborted]).toEqual(['pending', false]);
      await vi.advanceTimersByTimeAsync(1);
      expect([closed.state, lease.signal.aborted]).toEqual(['fulfilled', true]);
      lease.release();
    }
  });

  test('a leaked lease is reported once, and so is its return', async () => {
    const { pool, events } = noting({ leakWarnAfterMs: 100 });
    const quick = await pool.acquire();
    quick.release();
    const slow = await pool.acquire();
    await vi.advanceTimersByTimeAsync(250);
    slow.release();
    await vi.advanceTimersByTimeAsync(250);
    expect(events.slice(1)).toEqual([
      {
        type: 'leak',
        key: undefined,
        heldMs: 100,
        stack: expect.stringContaining('the lease was acquired here'),
      },
      { type: 'leakReturned', key: undefined, heldMs: 250 },
    ]);
    await pool.close();
  });
});
