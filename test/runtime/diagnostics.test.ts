import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import {
  AdaptiveSemaphore,
  ClosedError,
  ConnectionPool,
  gatherSettled,
  KeyedMutex,
  Mutex,
  type Permit,
  retry,
  Semaphore,
  WaitTimeoutError,
} from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { channelNames, exposeKeys, type WaitMessage } from 'latchkey/diagnostics';
import { monitorEventLoop } from 'latchkey/event-loop';
import { RedisMutex } from 'latchkey/redis';
import { RemoteMutex } from 'latchkey/remote-locks';
import { SingleFlight } from 'latchkey/single-flight';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { LeaseKeeper } from '../../src/remote-locks/lease-keeper.js';
import { MemoryEngine } from '../remote-locks/support/memory-engine.js';
import { drained } from '../support/lock-likes.js';

/** What is published on a channel until the test ends. */
function heard(name: string): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = [];
  const listen = (message: unknown) => void messages.push({ ...(message as object) });
  subscribe(name, listen);
  onTestFinished(() => void unsubscribe(name, listen));
  return messages;
}

/** What is traced: how each message looked at the start, and at the end. */
function traced(name: string) {
  const [starts, ends]: [WaitMessage[], WaitMessage[]] = [[], []];
  const subscribers = {
    start: (message: object) => void starts.push({ ...(message as WaitMessage) }),
    end() {},
    asyncStart() {},
    asyncEnd: (message: object) => void ends.push({ ...(message as WaitMessage) }),
    error() {},
  };
  const channel = tracingChannel<object>(name);
  channel.subscribe(subscribers);
  onTestFinished(() => void channel.unsubscribe(subscribers));
  return { starts, ends };
}

afterEach(() => exposeKeys(false));

describe('diagnostics: waits', () => {
  const busy = async () => {
    const [mutex, keyed, semaphore] = [new Mutex(), new KeyedMutex<string>(), new Semaphore(2)];
    const adaptive = new AdaptiveSemaphore({ algorithm: { limit: 1, onSample() {} } });
    const queue = new BoundedQueue<number>({ capacity: 1 });
    const flight = new SingleFlight<string, number>();
    const permits = [
      await mutex.acquire(),
      await keyed.acquire('a'),
      await semaphore.acquire({ weight: 2 }),
      await adaptive.acquire(),
    ];
    await queue.offer(1);
    return { mutex, keyed, semaphore, adaptive, queue, flight, permits };
  };

  test('each primitive publishes the start of a wait, its source and its end', async () => {
    const { starts, ends } = traced(channelNames.wait);
    const { mutex, keyed, semaphore, adaptive, queue, flight, permits } = await busy();
    expect(starts).toEqual([]);
    const waits = [
      mutex.run(() => 'done'),
      keyed.acquire('a').then((lease) => lease.release()),
      semaphore.run(() => 'done'),
      adaptive.run(() => 'done'),
      queue.offer(2),
      flight.run('a', () => 7),
      keyed.runAll(['a', 'b'], () => 'done'),
    ];
    expect(starts.map(({ source }) => source)).toEqual([
      mutex,
      keyed,
      semaphore,
      adaptive,
      queue,
      flight,
      keyed,
    ]);
    expect(starts[2]).toMatchObject({ waitedMs: 0, held: 2, limit: 2, waiting: 0 });
    await drained();
    expect(ends.map(({ source }) => source)).toEqual([flight]);
    for (const permit of permits) permit.release();
    (await queue.take()).done();
    await Promise.all(waits);
    expect(ends).toHaveLength(7);
    expect(ends.every(({ error }) => error === undefined)).toBe(true);
    expect(ends[0]).toMatchObject({ source: flight });
    expect(ends.filter((end) => 'result' in end)).toEqual([]);
  });

  test('a caller gets the error of its wait untouched, the listeners get its name and its code', async () => {
    const { ends } = traced(channelNames.wait);
    const semaphore = new Semaphore(1);
    await semaphore.acquire();
    const controller = new AbortController();
    const reason = new Error('enough');
    const error = (wait: Promise<unknown>) => wait.catch((thrown: unknown) => thrown);
    const aborted = error(semaphore.acquire({ signal: controller.signal }));
    const timedOut = error(semaphore.acquire({ waitTimeoutMs: 0 }));
    const refused = error(semaphore.acquire());
    controller.abort(reason);
    await timedOut;
    semaphore.close();
    const errors = await Promise.all([aborted, timedOut, refused]);
    expect(errors).toEqual([reason, expect.any(WaitTimeoutError), expect.any(ClosedError)]);
    expect(ends.map((end) => end.error)).toEqual([
      { name: 'Error' },
      { name: 'WaitTimeoutError', code: 'ERR_WAIT_TIMEOUT' },
      { name: 'ClosedError', code: 'ERR_CLOSED' },
    ]);
  });

  test('a lock across processes publishes its waits and its loss', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { starts } = traced(channelNames.wait);
    const losses = heard(channelNames.leaseLost);
    const source = {};
    const engine = new MemoryEngine();
    const keeper = new LeaseKeeper<string>(source, engine, String, { ttlMs: 1_000 });
    const lease = keeper.acquire('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(starts).toEqual([expect.objectContaining({ source, held: 0 })]);
    const { signal } = await lease;
    engine.renew = async () => false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(signal.reason).toMatchObject({ code: 'ERR_LEASE_LOST' });
    expect(losses).toEqual([{ source, error: { name: 'LeaseLostError', code: 'ERR_LEASE_LOST' } }]);
  });

  test('the source of a wait for a lock across processes is the object that the user made', () => {
    const { starts } = traced(channelNames.wait);
    const mutex = new RedisMutex(() => new Promise(() => {}));
    void mutex.acquire('a');
    expect(starts.map(({ source }) => source)).toEqual([mutex]);
  });
});

describe('diagnostics: listeners', () => {
  /** Calls `listener` when a caller begins to wait, until the test ends. */
  function onWait(listener: (message: WaitMessage) => void): void {
    const start = `tracing:${channelNames.wait}:start`;
    const listen = (message: unknown) => listener(message as WaitMessage);
    subscribe(start, listen);
    onTestFinished(() => void unsubscribe(start, listen));
  }

  const acts: [string, string, (semaphore: Semaphore, permit: Permit) => void][] = [
    ['releases', 'granted', (_semaphore, permit) => permit.release()],
    ['raises the limit', 'granted', (semaphore) => Object.assign(semaphore, { limit: 2 })],
    ['closes', 'ERR_CLOSED', (semaphore) => semaphore.close()],
    ['refuses the waiters', 'AbortError', (semaphore) => semaphore.refuseWaiting()],
  ];
  test.each(acts)('W4: a listener that %s finds the caller in the queue: it is %s', async (_, ends, act) => {
    const semaphore = new Semaphore(1);
    const permit = await semaphore.acquire();
    const waiting: number[] = [];
    onWait(() => {
      waiting.push(semaphore.waiting);
      act(semaphore, permit);
    });
    const wait = semaphore.acquire({ waitTimeoutMs: 10_000 });
    const end = await wait.then(
      () => 'granted',
      ({ code, name }) => (typeof code === 'string' ? code : name),
    );
    expect([waiting, end]).toEqual([[1], ends]);
  });

  test('CH3: an error of a listener changes nothing for the caller, and is thrown again later', async () => {
    const bug = new Error('a bug in the listener');
    onWait(() => {
      throw bug;
    });
    const thrown: unknown[] = [];
    const runners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error));
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException');
      for (const runner of runners) process.on('uncaughtException', runner);
    });
    const mutex = new Mutex();
    const permit = await mutex.acquire();
    const next = mutex.run(() => 'value');
    expect([thrown, mutex.waiting]).toEqual([[], 1]);
    permit.release();
    expect(await next).toBe('value');
    await vi.waitUntil(() => thrown.length > 0);
    expect(thrown).toEqual([bug]);
  });
});

describe('diagnostics: messages', () => {
  const parts = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];
  const traces: string[] = [channelNames.wait, channelNames.poolAcquire];

  /** Whether a value is a fact: nothing that a listener could act on, or that holds more than it shows. */
  function isFact(value: unknown): boolean {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return true;
    if (value === undefined) return true;
    const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
    return isPlain && Object.values(value as object).every(isFact);
  }

  test.each([false, true])('CH1: hold facts only, and can be serialized; with keys: %s', async (withKeys) => {
    exposeKeys(withKeys);
    const seen = new Map<string, object[]>();
    for (const name of Object.values(channelNames)) {
      const messages: object[] = [];
      seen.set(name, messages);
      const names = traces.includes(name) ? parts.map((part) => `tracing:${name}:${part}`) : [name];
      const listen = (message: unknown) => void messages.push(message as object);
      for (const each of names) subscribe(each, listen);
      onTestFinished(() => {
        for (const each of names) unsubscribe(each, listen);
      });
    }
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());

    const key = { host: 'db', password: 'secret' };
    const failure = Object.assign(new Error('secret'), { cause: 7n });
    const keyed = new KeyedMutex<unknown>();
    const flights = new SingleFlight<unknown, unknown>();
    const algorithm = { limit: 1, onSample: () => void algorithm.limit++ };
    const adaptive = new AdaptiveSemaphore({ algorithm });
    const queue = new BoundedQueue<unknown>({ capacity: 1, policy: 'drop-newest' });
    const pool = new ConnectionPool<object, object>({ connect: () => ({}), close() {} }, { max: 1 });
    const engine = new MemoryEngine();
    const lock = new RemoteMutex(engine, { ttlMs: 1_000 });
    const monitor = monitorEventLoop({ thresholdMs: 20 });
    const done = [
      keyed.run(key, () => {}),
      keyed.runAll([key, 7n, 'ann'], () => {}),
      flights.run(7n, () => Promise.reject(failure)).catch(() => {}),
      adaptive.run(() => {}),
      queue.offer(key),
      queue.offer(key),
      pool.use(key, () => {}),
      pool.use({ host: 'other' }, () => Promise.reject(failure)).catch(() => {}),
      lock.run('job', ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve))),
      gatherSettled([1], () => Promise.reject(failure)),
      retry(({ attempt }) => (attempt === 1 ? Promise.reject(failure) : 'value'), { backoff: () => 0 }),
    ];
    await vi.advanceTimersByTimeAsync(0);
    engine.renew = async () => false;
    await vi.advanceTimersByTimeAsync(1_000);
    const now = performance.now() + 200;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(now);
    vi.advanceTimersByTime(5);
    clock.mockRestore();
    await vi.advanceTimersByTimeAsync(1_000);
    await Promise.all(done);
    await pool.close();
    monitor.stop();

    expect([...seen].filter(([, messages]) => messages.length === 0)).toEqual([]);
    const sources: object[] = [keyed, flights, adaptive, queue, pool, lock, monitor];
    for (const message of [...seen.values()].flat()) {
      const { source, ...facts } = message as { source?: object };
      if (source !== undefined) expect(sources).toContain(source);
      expect(isFact(facts), `${Object.keys(facts)} are facts`).toBe(true);
      expect(JSON.stringify(message)).not.toContain('password');
    }
  });
});

describe('diagnostics: keys', () => {
  test('CH2: are in no message until they are exposed', async () => {
    const { starts } = traced(channelNames.wait);
    const acquires = traced(channelNames.poolAcquire);
    const events = heard(channelNames.poolEvent);
    const releases = heard(channelNames.poolRelease);
    const keyed = new KeyedMutex<string>();
    await keyed.acquire('ann@example.com');
    const use = async () => {
      void keyed.acquire('ann@example.com');
      await using pool = new ConnectionPool<object, string>({ connect: () => ({}), close() {} });
      await pool.use('ann@example.com', () => {});
    };
    await use();
    const all = () => [...starts, ...acquires.starts, ...acquires.ends, ...events, ...releases];
    expect(all().length).toBeGreaterThanOrEqual(6);
    expect(all().filter((message) => 'key' in message)).toEqual([]);
    const before = all().length;
    exposeKeys(true);
    await use();
    const told = all().filter(({ key }) => key === 'ann@example.com');
    expect(told).toHaveLength(all().length - before);
  });
});

describe('diagnostics: pool', () => {
  test('every acquire is traced, even without a wait; releases and events name the pool as source', async () => {
    const acquires = traced(channelNames.poolAcquire);
    const releases = heard(channelNames.poolRelease);
    const events = heard(channelNames.poolEvent);
    const waits = traced(channelNames.wait);
    const told: string[] = [];
    const pool = new ConnectionPool<object>(
      { connect: () => ({}), close() {} },
      { max: 1, onEvent: ({ type }) => void told.push(type) },
    );
    await pool.use(() => {});
    const lease = await pool.acquire();
    const gaveUp = pool.acquire({ waitTimeoutMs: 0 }).catch((error) => error);
    expect(await gaveUp).toBeInstanceOf(WaitTimeoutError);
    lease.release();
    await pool.close();
    expect(acquires.starts.map(({ source }) => source)).toEqual([pool, pool, pool]);
    expect(acquires.ends.map(({ error }) => error)).toEqual([
      undefined,
      undefined,
      { name: 'WaitTimeoutError', code: 'ERR_WAIT_TIMEOUT' },
    ]);
    expect(releases).toEqual([
      { source: pool, heldMs: expect.any(Number) },
      { source: pool, heldMs: expect.any(Number) },
    ]);
    expect(events).toEqual([
      { source: pool, type: 'connect', durationMs: expect.any(Number) },
      expect.objectContaining({ source: pool, type: 'close', reason: 'shutdown' }),
    ]);
    expect(told).toEqual(events.map(({ type }) => type));
    expect(waits.starts).toEqual([]);
  });

  test('a listener may call the pool back', async () => {
    const pool = new ConnectionPool<object>({ connect: () => ({}), close() {} }, { max: 1 });
    const again: Promise<unknown>[] = [];
    const listen = () => void (again.length === 0 && again.push(pool.use(() => 'again')));
    subscribe(channelNames.poolRelease, listen);
    onTestFinished(() => void unsubscribe(channelNames.poolRelease, listen));
    await pool.use(() => {});
    expect(await Promise.all(again)).toEqual(['again']);
    await pool.close();
  });
});

describe('diagnostics: events', () => {
  test('a limit that changed', async () => {
    const changes = heard(channelNames.limit);
    const algorithm = { limit: 1, onSample: () => void algorithm.limit++ };
    const source = new AdaptiveSemaphore({ algorithm });
    await source.run(() => {});
    expect(changes).toEqual([{ source, from: 1, to: 2 }]);
  });

  test('an attempt that failed and is followed by another one', async () => {
    const attempts = heard(channelNames.retry);
    const error = new Error('once');
    await retry(({ attempt }) => (attempt === 1 ? Promise.reject(error) : 'value'), { backoff: () => 0 });
    expect(attempts).toEqual([{ error: { name: 'Error' }, attempt: 1, delayMs: 0 }]);
  });

  test('a gathering that ended', async () => {
    const gatherings = heard(channelNames.gather);
    await gatherSettled([1, 2, 3], (n) => (n === 2 ? Promise.reject(new Error('two')) : n));
    expect(gatherings).toEqual([
      { total: 3, succeeded: 2, failed: 1, skipped: 0, durationMs: expect.any(Number) },
    ]);
  });

  test('a queue that overflowed, also where it has no listener of its own', async () => {
    const overflows = heard(channelNames.queueOverflow);
    const source = new BoundedQueue<number>({ capacity: 1, policy: 'drop-newest' });
    for (const item of [1, 2, 3]) await source.offer(item);
    source.close();
    expect(overflows).toEqual([
      { source, count: 1, fill: 1 },
      { source, count: 1, fill: 1 },
    ]);
  });

  describe('an event loop', () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    test('that was blocked', () => {
      const blocks = heard(channelNames.eventLoopBlock);
      using source = monitorEventLoop({ thresholdMs: 20 });
      vi.setSystemTime(0);
      const clock = vi.spyOn(performance, 'now');
      clock.mockReturnValue(performance.now() + 200);
      vi.advanceTimersByTime(5);
      clock.mockRestore();
      vi.advanceTimersByTime(5);
      expect(blocks).toEqual([expect.objectContaining({ source, cause: expect.any(String) })]);
    });
  });
});

test('without diagnostics channels in the runtime nothing is published, and locks work', async () => {
  vi.resetModules();
  vi.stubGlobal('process', { getBuiltinModule: () => undefined });
  const { Mutex: Bare } = await import('../../src/locks/mutex.js');
  vi.unstubAllGlobals();
  const { starts } = traced(channelNames.wait);
  const mutex = new Bare();
  const permit = await mutex.acquire();
  const next = mutex.run(() => 'value');
  permit.release();
  expect([await next, starts]).toEqual(['value', []]);
});
