import { type CloseReason, ConnectionPool, type ConnectionPoolOptions, type Connector } from 'latchkey';
import { claim, equal, ok, pause, rejection, rejectsWithCode } from './check.js';

interface Line {
  readonly host: string;
  isDead: boolean;
  lose(): void;
}

/** Connections in memory, and their history. */
function lines(options: ConnectionPoolOptions, hooks: Partial<Connector<Line, string>> = {}) {
  const seen = { open: 0, most: 0, dialled: 0, closed: [] as CloseReason[] };
  const connector: Connector<Line, string> = {
    async connect(host, { lost }) {
      seen.dialled++;
      seen.most = Math.max(seen.most, ++seen.open);
      await Promise.resolve();
      return { host, isDead: false, lose: lost };
    },
    async close(_line, reason) {
      await Promise.resolve();
      seen.open--;
      seen.closed.push(reason);
    },
    isAlive: (line) => !line.isDead,
    ...hooks,
  };
  return { pool: new ConnectionPool(connector, options), seen };
}

export const pools = [
  claim('pool: never more than max connections live, over all keys, and every call is served', async () => {
    const { pool, seen } = lines({ max: 4 });
    const hosts = ['a', 'b', 'c', 'd', 'e', 'f'];
    const calls = Array.from({ length: 120 }, (_, n) => {
      const host = hosts[n % hosts.length]!;
      return pool.use(host, async (line) => {
        await Promise.resolve();
        return line.host === host;
      });
    });
    ok((await Promise.all(calls)).every(Boolean), 'a call got a connection to another host');
    ok(seen.most <= 4, `${seen.most} were open`);
    await pool.close();
    equal([seen.open, pool.stats().total], [0, 0]);
  }),

  claim('pool: a connection is used again, and closed after an error', async () => {
    const { pool, seen } = lines({ max: 1 });
    await pool.use('a', () => {});
    await pool.use('a', () => {});
    equal(seen.dialled, 1);
    const thrown = new Error('of the task');
    const failing = pool.use('a', () => {
      throw thrown;
    });
    equal(await rejection(failing), thrown);
    await pool.use('a', () => {});
    equal([seen.dialled, seen.closed], [2, ['error']]);
    await pool.close();
  }),

  claim('pool: the signal of a lease aborts when its connection is lost', async () => {
    const { pool, seen } = lines({ max: 1 });
    const lease = await pool.acquire('a');
    lease.connection.lose();
    equal([lease.signal.aborted, (lease.signal.reason as { code: string }).code], [true, 'ERR_LEASE_LOST']);
    lease.release();
    await pool.close();
    equal(seen.closed, ['lost']);
  }),

  claim('pool: an idle connection that has died is replaced', async () => {
    const { pool, seen } = lines({ max: 1 });
    await pool.use('a', (line) => {
      line.isDead = true;
    });
    equal(await pool.use('a', (line) => line.isDead), false);
    equal(seen.dialled, 2);
    await pool.close();
  }),

  claim('pool: an idle connection that does not validate is replaced', async () => {
    const { pool, seen } = lines(
      { max: 1, validateAfterIdleMs: 0 },
      { validate: () => Promise.resolve(false) },
    );
    await pool.use('a', () => {});
    await pause(2);
    await pool.use('a', () => {});
    equal([seen.dialled, seen.closed], [2, ['invalid']]);
    await pool.close();
  }),

  claim('pool: a failed dial rejects the waiters with its error', async () => {
    const refused = new Error('refused');
    const { pool } = lines({ max: 1 }, { connect: () => Promise.reject(refused) });
    const error = (await rejection(pool.acquire('a'))) as { code?: string; cause?: unknown };
    equal([error.code, error.cause], ['ERR_CONNECT', refused]);
    await pool.close();
  }),

  claim('pool: a dial that hangs is given up', async () => {
    const hangs = () => new Promise<Line>(() => {});
    const { pool } = lines({ max: 1, connectTimeoutMs: 5, closeTimeoutMs: 5 }, { connect: hangs });
    await rejectsWithCode(pool.acquire('a'), 'ERR_CONNECT');
    await pool.close();
    equal([pool.stats().total, pool.stats().abandoned], [0, 1]);
  }),

  claim('pool: aborts, timeouts and full queues end a wait as everywhere', async () => {
    const { pool } = lines({ max: 1, maxWaiting: 1 });
    const lease = await pool.acquire('a');
    const controller = new AbortController();
    const aborted = rejection(pool.acquire('a', { signal: controller.signal }));
    await rejectsWithCode(pool.acquire('b'), 'ERR_QUEUE_FULL');
    controller.abort('enough');
    equal(await aborted, 'enough');
    await rejectsWithCode(pool.acquire('b', { waitTimeoutMs: 2 }), 'ERR_WAIT_TIMEOUT');
    lease.release();
    const { aborted: count, timedOut, waiting } = pool.stats();
    equal([count, timedOut, waiting], [1, 1, 0]);
    await pool.close();
  }),

  claim('pool: users may share a connection', async () => {
    const { pool, seen } = lines({ max: 1, leasesPerConnection: 3 });
    const leases = await Promise.all(['a', 'a', 'a'].map((host) => pool.acquire(host)));
    equal([seen.dialled, new Set(leases.map((lease) => lease.connection)).size], [1, 1]);
    for (const lease of leases) lease.release();
    await pool.close();
  }),

  claim('pool: reset closes what is idle now, and what is leased when it comes back', async () => {
    const { pool, seen } = lines({ max: 2 });
    const lease = await pool.acquire('a');
    await pool.use('b', () => {});
    pool.reset();
    await pause(1);
    equal(seen.closed, ['reset']);
    lease.release();
    await pause(1);
    equal(seen.closed, ['reset', 'reset']);
    await pool.close();
  }),

  claim('pool: close waits for tasks, refuses waiters, and works with await using', async () => {
    const { pool, seen } = lines({ max: 1 });
    await pool.use('a', () => {});
    let worked = false;
    let refused: Promise<unknown>;
    let working: Promise<void>;
    {
      await using closing = pool;
      working = closing.use('a', async () => {
        await pause(5);
        worked = true;
      });
      refused = rejection(closing.acquire('a'));
    }
    equal([worked, seen.open, pool.stats().total], [true, 0, 0]);
    await working;
    equal(((await refused) as { code: string }).code, 'ERR_CLOSED');
    await rejectsWithCode(pool.acquire('a'), 'ERR_CLOSED');
  }),

  claim(
    'pool: a task that outlasts the grace gets an aborted signal, and its connection is closed',
    async () => {
      const { pool, seen } = lines({ max: 1 });
      const lease = await pool.acquire('a');
      await pool.close({ graceMs: 2 });
      equal([lease.signal.aborted, seen.open, seen.closed], [true, 0, ['shutdown']]);
      lease.release();
    },
  ),

  claim('pool: a lease works with using, and its connection cannot be read after it', async () => {
    const { pool } = lines({ max: 1 });
    let kept: { readonly connection: Line };
    {
      using lease = await pool.acquire('a');
      kept = lease;
      equal(lease.connection.host, 'a');
    }
    equal(pool.stats().idle, 1);
    await rejectsWithCode(
      Promise.resolve().then(() => kept.connection),
      'ERR_CLOSED',
    );
    await pool.close();
  }),

  claim('pool: with one target the key is left out', async () => {
    const pool = new ConnectionPool<{ n: number }>(
      { connect: () => ({ n: 1 }), close: () => {} },
      { max: 1 },
    );
    equal(await pool.use(({ n }) => n), 1);
    const lease = await pool.acquire({ waitTimeoutMs: 10 });
    lease.destroy();
    await pool.close();
  }),
];
