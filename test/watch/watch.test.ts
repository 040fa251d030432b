import {
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  gatherSettled,
  KeyedMutex,
  Mutex,
  Semaphore,
} from 'latchkey';
import { fairShare } from 'latchkey/overload';
import { RemoteMutex } from 'latchkey/remote-locks';
import { SingleFlight } from 'latchkey/single-flight';
import { type DeadlockError, type Watcher, type WatchOptions, type WatchReport, watch } from 'latchkey/watch';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MemoryEngine } from '../remote-locks/support/memory-engine.js';

let watcher: Watcher | undefined;
afterEach(() => watcher?.stop());

/** Watches, and collects what is reported. */
function watching(options: WatchOptions = {}) {
  const reports: WatchReport[] = [];
  watcher = watch({ deadlocks: 'reject', onReport: (report) => reports.push(report), ...options });
  return { reports, watcher };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: DeadlockError) => error.code,
  );

/** A barrier: all callers wait until the last one has come, for instance while each holds its first lock. */
function meeting(size: number) {
  let arrived = 0;
  let open = () => {};
  const all = new Promise<void>((resolve) => {
    open = resolve;
  });
  return (next: () => Promise<unknown>) => async () => {
    if (++arrived === size) open();
    await all;
    return next();
  };
}

type Meet = ReturnType<typeof meeting>;

describe('deadlocks are named', () => {
  test('a mutex inside itself', async () => {
    const { reports } = watching();
    const mutex = new Mutex();
    expect(await codeOf(mutex.run(() => mutex.run(() => 1)))).toBe('ERR_DEADLOCK');
    expect(reports.map(({ kind }) => kind)).toEqual(['deadlock']);
    expect(mutex.locked).toBe(false);
  });

  const shapes: Record<string, (meet: Meet) => Promise<unknown>[]> = {
    'keys a, b against b, a': (meet) => {
      const keys = new KeyedMutex<string>();
      return [
        keys.run(
          'a',
          meet(() => keys.run('b', () => 1)),
        ),
        keys.run(
          'b',
          meet(() => keys.run('a', () => 1)),
        ),
      ];
    },
    'two mutexes': (meet) => {
      const [a, b] = [new Mutex(), new Mutex()];
      return [a.run(meet(() => b.run(() => 1))), b.run(meet(() => a.run(() => 1)))];
    },
    'a semaphore of two whose holders want a second unit': (meet) => {
      const semaphore = new Semaphore(2);
      return [
        semaphore.run(meet(() => semaphore.run(() => 1))),
        semaphore.run(meet(() => semaphore.run(() => 1))),
      ];
    },
    'an adaptive semaphore of two': (meet) => {
      const semaphore = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 2, max: 2 }) });
      return [
        semaphore.run(meet(() => semaphore.run(() => 1))),
        semaphore.run(meet(() => semaphore.run(() => 1))),
      ];
    },
    'a pool of two whose users need two connections each': (meet) => {
      const pool = new ConnectionPool(
        { connect: () => ({}), close() {} },
        { max: 2, waitTimeoutMs: Infinity },
      );
      const use = () => pool.use(meet(() => pool.use(() => 1)));
      return [use(), use()];
    },
    'a pool with a cap per key, against a mutex': (meet) => {
      const connector = { connect: (_key: string) => ({}), close() {} };
      const pool = new ConnectionPool<object, string>(connector, { maxPerKey: 1, waitTimeoutMs: Infinity });
      const mutex = new Mutex();
      return [
        pool.use(
          'a',
          meet(() => mutex.run(() => 1)),
        ),
        mutex.run(meet(() => pool.use('a', () => 1))),
      ];
    },
    'a lock across processes against one of this process': (meet) => {
      const remote = new RemoteMutex(new MemoryEngine());
      const mutex = new Mutex();
      return [
        remote.run(
          'a',
          meet(() => mutex.run(() => 1)),
        ),
        mutex.run(meet(() => remote.run('a', () => 1))),
      ];
    },
    'a single flight against a pool': (meet) => {
      const flights = new SingleFlight<string, unknown>();
      const pool = new ConnectionPool(
        { connect: () => ({}), close() {} },
        { max: 1, waitTimeoutMs: Infinity },
      );
      return [
        flights.run(
          'a',
          meet(() => pool.use(() => 1)),
        ),
        pool.use(meet(() => flights.run('a', async () => 1))),
      ];
    },
    'runAll against run': (meet) => {
      const keys = new KeyedMutex<string>();
      const mutex = new Mutex();
      return [
        keys.runAll(
          ['a', 'b'],
          meet(() => mutex.run(() => 1)),
        ),
        mutex.run(meet(() => keys.run('b', () => 1))),
      ];
    },
  };
  test.each(Object.keys(shapes))('%s', async (name) => {
    const { reports } = watching();
    const codes = await Promise.all(shapes[name]!(meeting(2)).map(codeOf));
    expect(codes.sort()).toEqual(['ERR_DEADLOCK', 'done']);
    expect(reports.filter(({ kind }) => kind === 'deadlock')).toHaveLength(1);
  });

  test('a single flight that asks for its own key', async () => {
    watching();
    const flights = new SingleFlight<string, number>();
    const load = (): Promise<number> => flights.run('key', load);
    expect(await codeOf(flights.run('key', load))).toBe('ERR_DEADLOCK');
  });
});

describe('no false alarm', () => {
  test('WA1: a task that starts something under its own lock and ends does not wait for it', async () => {
    const { reports } = watching();
    const mutex = new Mutex();
    let later: Promise<unknown> = Promise.resolve();
    await mutex.run(async () => {
      later = mutex.run(() => 1);
    });
    await later;
    expect(reports).toEqual([]);
  });

  test('WG3: a permit acquired by hand closes no circle: another part of the program may release it', async () => {
    const { reports } = watching();
    const mutex = new Mutex();
    const outer = new Mutex();
    await outer.run(async () => {
      const permit = await mutex.acquire();
      const waits = mutex.run(() => 1);
      setImmediate(() => permit.release());
      await waits;
    });
    expect(reports).toEqual([]);
  });

  test('a connection that is being dialled serves the wait', async () => {
    const { reports } = watching();
    const connect = () => new Promise<object>((resolve) => setImmediate(() => resolve({})));
    const pool = new ConnectionPool({ connect, close() {} }, { max: 2, waitTimeoutMs: Infinity });
    await pool.use(() => pool.use(() => 1));
    await pool.close();
    expect(reports).toEqual([]);
  });

  test('workers of gatherSettled behind a limiter are not inside each other', async () => {
    const { reports } = watching();
    const work = async (n: number) => {
      for (let i = 0; i < 10; i++) await undefined;
      return n;
    };
    const { failed } = await gatherSettled([1, 2, 3, 4, 5, 6], work, { limiter: new Semaphore(2) });
    expect([failed, reports]).toEqual([0, []]);
  });

  test('a paused semaphore may be resumed', async () => {
    const { reports } = watching();
    const semaphore = new Semaphore(1);
    await semaphore.run(async () => {
      const inner = semaphore.run(() => 1);
      setImmediate(() => {
        semaphore.limit = 2;
      });
      await inner.catch(() => {});
    });
    // The limit was raised from outside after the alarm. That is the price of reporting a deadlock at once.
    expect(reports).toHaveLength(1);
  });
});

describe('a watched program', () => {
  test('has the callers in the async stacks of its errors', async () => {
    watching();
    const mutex = new Mutex();
    async function theCaller() {
      return await mutex.run(async () => {
        await undefined;
        throw new Error('of the task');
      });
    }
    const { stack } = await theCaller().catch((error: Error) => error as Required<Error>);
    expect(stack).toContain('theCaller');
  });

  test('does not meet the timers of the watcher where its own are fake', () => {
    watching();
    vi.useFakeTimers();
    new Mutex().tryAcquire()?.release();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('may have a thousand tasks that wait with a weight: each looks at its queue once', async () => {
    const { reports } = watching();
    const keys = new KeyedMutex<number>();
    const semaphore = new Semaphore(2);
    const busy = await semaphore.acquire();
    const size = 1_000;
    const all = Array.from({ length: size }, (_, key) =>
      keys.run(key, () => semaphore.run(() => 1, { weight: 2 })),
    );
    busy.release();
    expect(await Promise.all(all)).toHaveLength(size);
    expect(reports).toEqual([]);
  });
});

describe('what a circle does', () => {
  test('WG4: with an order, a later waiter of the same semaphore may be served before a stuck one', async () => {
    const { reports } = watching({ deadlocks: 'report' });
    const semaphore = new Semaphore(3, { order: fairShare() });
    const busy = await semaphore.acquire({ weight: 2 });
    const stuck = semaphore.run(() =>
      semaphore.run(() => 1, { weight: 3, waitTimeoutMs: 1_000, partition: 'a' }),
    );
    const later = semaphore.run(() => 'served', { partition: 'b' });
    await vi.waitFor(() => expect(reports).toHaveLength(1));
    busy.release();
    expect(await later).toBe('served');
    expect(await codeOf(stuck)).toBe('ERR_WAIT_TIMEOUT');
    expect(reports).toHaveLength(1);
  });

  test('WA3: a wait that can give up is reported and not rejected', async () => {
    const { reports } = watching();
    const mutex = new Mutex();
    const controller = new AbortController();
    const inner = mutex.run(() => mutex.run(() => 1, { signal: controller.signal }));
    await new Promise((resolve) => setImmediate(resolve));
    expect(reports).toMatchObject([{ kind: 'deadlock', rejected: false }]);
    controller.abort(new Error('given up'));
    await expect(inner).rejects.toThrow('given up');
  });

  test('WA3: rejecting one wait lets the others go on, and the error says where', async () => {
    watching();
    const keys = new KeyedMutex<string>();
    const meet = meeting(2);
    const results = await Promise.allSettled([
      keys.run(
        'a',
        meet(() => keys.run('b', () => 'ab')),
      ),
      keys.run(
        'b',
        meet(() => keys.run('a', () => 'ba')),
      ),
    ]);
    const [error] = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as DeadlockError] : [],
    );
    expect(error?.cycle).toHaveLength(2);
    expect(error?.message).toMatch(
      /^would wait for KeyedMutex "[ab]", held for \d+ ms since watch\.test\.ts:\d+:\d+, by a task that waits at watch\.test\.ts:\d+:\d+ for KeyedMutex "[ab]", held since watch\.test\.ts:\d+:\d+, by the first one$/,
    );
    expect(keys.size).toBe(0);
  });

  test('WA2: a deadlock that is only reported is reported once', async () => {
    const { reports, watcher: watching_ } = watching({ deadlocks: 'report' });
    const mutex = new Mutex();
    void mutex.run(() => mutex.run(() => 1));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(reports).toHaveLength(1);
    const snapshot = watching_.snapshot();
    expect(snapshot).toMatchObject({ held: [{ name: 'Mutex', weight: 1 }], waiting: [{ name: 'Mutex' }] });
    expect(snapshot.cycles).toHaveLength(1);
    expect(String(snapshot)).toMatch(
      /^1 held, 1 waiting\nMutex held for \d+ ms since watch\.test\.ts:\d+:\d+ by the task at watch\.test\.ts:\d+:\d+\n {2}waits \d+ ms at watch\.test\.ts:\d+:\d+ while holding Mutex {2}DEADLOCK$/,
    );
  });
});

describe('orders', () => {
  test('LO1: A then B here and B then A there is reported, although the two never met', async () => {
    const { reports } = watching();
    const [a, b] = [new Mutex(), new Mutex()];
    await a.run(() => b.run(() => 1));
    expect(reports).toEqual([]);
    await b.run(() => a.run(() => 1));
    expect(reports).toMatchObject([{ kind: 'order', orders: [{ first: 'Mutex', second: 'Mutex' }, {}] }]);
    await b.run(() => a.run(() => 1));
    expect(reports).toHaveLength(1);
  });

  test('LO1: three locks in a circle of orders', async () => {
    const { reports } = watching();
    const keys = new KeyedMutex<string>();
    for (const [first, second] of ['ab', 'bc', 'ca'] as const)
      await keys.run(first!, () => keys.run(second!, () => 1));
    expect(reports).toMatchObject([{ kind: 'order', orders: [{}, {}, {}] }]);
  });

  test('LO1: a semaphore of two and keys that are taken at once have no order', async () => {
    const { reports } = watching();
    const keys = new KeyedMutex<string>();
    const semaphore = new Semaphore(2);
    await keys.runAll(['a', 'b'], () => 1);
    await keys.runAll(['b', 'a'], () => semaphore.run(() => 1));
    await semaphore.run(() => keys.run('a', () => 1));
    expect(reports).toEqual([]);
  });

  test('LO2: orders under a common lock cannot meet', async () => {
    const { reports } = watching();
    const [gate, a, b] = [new Mutex(), new Mutex(), new Mutex()];
    await gate.run(() => a.run(() => b.run(() => 1)));
    await gate.run(() => b.run(() => a.run(() => 1)));
    expect(reports).toEqual([]);
  });

  test('LO3: the oldest order is forgotten, so memory has a bound', async () => {
    const { reports } = watching();
    const keys = new KeyedMutex<number>();
    await keys.run(0, () => keys.run(1, () => 1));
    for (let key = 2; key < 4_200; key++) await keys.run(key, () => keys.run(key + 10_000, () => 1));
    await keys.run(1, () => keys.run(0, () => 1));
    expect(reports).toEqual([]);
  });
});
