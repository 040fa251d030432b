/** The mistake of each naive version in bench/naive, beside the version without it. */
import { getEventListeners, setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ArrayQueueSemaphore } from '../../bench/naive/array-queue.js';
import { bareRetry } from '../../bench/naive/bare-retry.js';
import { increment } from '../../bench/naive/check-then-act.js';
import { fixedConcurrency } from '../../bench/naive/fixed-concurrency.js';
import { GlobalLockPool } from '../../bench/naive/global-lock-pool.js';
import { promiseAll } from '../../bench/naive/promise-all.js';
import { PromiseChain } from '../../bench/naive/promise-chain.js';
import { PromiseChainMap } from '../../bench/naive/promise-chain-map.js';
import { ThreePhasePool } from '../../bench/naive/three-phase-pool.js';
import { gatherSettled } from '../../src/gather/gather-settled.js';
import { littlesLaw } from '../../src/limit/littles-law.js';
import { KeyedMutex } from '../../src/locks/keyed-mutex.js';
import { Mutex } from '../../src/locks/mutex.js';
import { Semaphore } from '../../src/locks/semaphore.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { exponential } from '../../src/retry/backoff.js';
import { retry } from '../../src/retry/retry.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const range = (length: number) => Array.from({ length }, (_, i) => i);
const nothing = async () => {};

/** How much fake time passes until `promise` settles. */
async function elapsed(promise: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  let endedMs: number | undefined;
  const end = () => {
    endedMs = performance.now();
  };
  promise.then(end, end);
  await vi.runAllTimersAsync();
  expect(endedMs, 'it never settled').toBeDefined();
  return endedMs! - startedMs;
}

/** Connections that take 10 ms to make; the host named 'dead' never answers. */
class Hosts {
  dials = 0;
  closes = 0;
  connecting = 0;
  mostConnecting = 0;

  readonly connect = async (host: string): Promise<object> => {
    this.dials++;
    this.mostConnecting = Math.max(this.mostConnecting, ++this.connecting);
    await (host === 'dead' ? new Promise(() => {}) : sleep(10));
    this.connecting--;
    return {};
  };

  readonly close = async (): Promise<void> => {
    this.closes++;
  };
}

describe('a global lock across connect', () => {
  const hundredHosts = range(100).map((i) => `host-${i}`);

  test('dials 100 hosts one after another; the pool dials them side by side', async () => {
    const naive = new Hosts();
    const lockPool = new GlobalLockPool({ max: 100, ...naive });
    const naiveMs = await elapsed(Promise.all(hundredHosts.map((host) => lockPool.use(host, nothing))));
    expect({ ms: naiveMs, at: naive.mostConnecting, dials: naive.dials }).toEqual({
      ms: 1_000,
      at: 1,
      dials: 100,
    });

    const hosts = new Hosts();
    const pool = new ConnectionPool<object, string>(hosts, { max: 100 });
    const startedMs = performance.now();
    const served = Promise.all(hundredHosts.map((host) => pool.use(host, nothing)));
    await vi.advanceTimersByTimeAsync(10);
    await served;
    expect(performance.now() - startedMs).toBe(10);
    expect({ at: hosts.mostConnecting, dials: hosts.dials }).toEqual({ at: 100, dials: 100 });
    await pool.close();
  });

  test('lets one dead host stop all others; the pool does not', async () => {
    const lockPool = new GlobalLockPool({ max: 100, ...new Hosts() });
    const served: string[] = [];
    void lockPool.use('dead', nothing);
    void lockPool.use('alive', async () => void served.push('naive'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(served).toEqual([]);

    const pool = new ConnectionPool<object, string>(new Hosts());
    const dead = expect(pool.use('dead', nothing)).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    void pool.use('alive', () => void served.push('pool'));
    await vi.advanceTimersByTimeAsync(10);
    expect(served).toEqual(['pool']);
    await vi.advanceTimersByTimeAsync(60_000);
    await dead;
  });
});

test('look, connect, look again: 100 requests to one cold host dial 100 times; the pool dials once', async () => {
  const naive = new Hosts();
  const threePhases = new ThreePhasePool(naive);
  await elapsed(Promise.all(range(100).map(() => threePhases.use('host', nothing))));
  expect({ dials: naive.dials, thrownAway: naive.closes }).toEqual({ dials: 100, thrownAway: 99 });

  const hosts = new Hosts();
  const pool = new ConnectionPool<object, string>(hosts, { leasesPerConnection: Infinity });
  await Promise.all([...range(100).map(() => pool.use('host', nothing)), vi.advanceTimersByTimeAsync(10)]);
  expect({ dials: hosts.dials, thrownAway: hosts.closes }).toEqual({ dials: 1, thrownAway: 0 });
  await pool.close();
});

test('a Map of promise chains remembers 1,000 idle keys; KeyedMutex remembers none', async () => {
  const chains = new PromiseChainMap<number>();
  await Promise.all(range(1_000).map((key) => chains.run(key, nothing)));
  expect(chains.size).toBe(1_000);

  const mutex = new KeyedMutex<number>();
  const all = Promise.all(range(1_000).map((key) => mutex.run(key, nothing)));
  expect(mutex.size).toBe(1_000);
  await all;
  expect(mutex.size).toBe(0);
});

test('a promise chain makes its callers wait for ever behind a task that hangs; Mutex lets them give up', async () => {
  const hang = () => new Promise<void>(() => {});
  const chain = new PromiseChain();
  void chain.run(hang);
  const settled = vi.fn();
  chain.run(nothing).then(settled, settled);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(settled).not.toHaveBeenCalled();

  const mutex = new Mutex();
  void mutex.run(hang);
  const waiting = expect(mutex.run(nothing, { waitTimeoutMs: 50 })).rejects.toMatchObject({
    code: 'ERR_WAIT_TIMEOUT',
  });
  await vi.advanceTimersByTimeAsync(50);
  await waiting;
  expect(mutex.waiting).toBe(0);
});

test('read, then write: 99 of 100 increments are lost; under a Mutex none is', async () => {
  const counters = new Map<string, number>();
  const store = {
    read: async (key: string) => counters.get(key) ?? 0,
    write: async (key: string, value: number) => void counters.set(key, value),
  };
  await Promise.all(range(100).map(() => increment(store, 'naive')));
  expect(counters.get('naive')).toBe(1);

  const mutex = new Mutex();
  await Promise.all(range(100).map(() => mutex.run(() => increment(store, 'locked'))));
  expect(counters.get('locked')).toBe(100);
});

describe('five at a time, in chunks', () => {
  test('takes 200 ms for work that must be done in 100; littlesLaw gives the right number', async () => {
    const items = range(100);
    expect(await elapsed(fixedConcurrency(items, () => sleep(10)))).toBe(200);

    const concurrency = littlesLaw({ items: 100, durationMs: 10, withinMs: 100 });
    expect(concurrency).toBe(10);
    expect(await elapsed(gatherSettled(items, () => sleep(10), { concurrency }))).toBe(100);
  });

  test('makes each chunk wait for its slowest item; gatherSettled starts the next as soon as one ends', async () => {
    const durations = [100, 10, 10, 10, 10, 10];
    const startedMs = async (run: (worker: (durationMs: number) => Promise<void>) => Promise<unknown>) => {
      const beginMs = performance.now();
      const starts: number[] = [];
      const worker = (durationMs: number) => {
        starts.push(performance.now() - beginMs);
        return sleep(durationMs);
      };
      await elapsed(run(worker));
      return starts;
    };
    expect(await startedMs((worker) => fixedConcurrency(durations, worker))).toEqual([0, 0, 0, 0, 0, 100]);
    expect(await startedMs((worker) => gatherSettled(durations, worker, { concurrency: 5 }))).toEqual([
      0, 0, 0, 0, 0, 10,
    ]);
  });
});

describe('Promise.all over everything', () => {
  /** Every tenth item fails after 5 ms, the others succeed after 10. */
  function workload() {
    const state = { running: 0, mostRunning: 0 };
    const worker = async (item: number) => {
      state.mostRunning = Math.max(state.mostRunning, ++state.running);
      await sleep(item % 10 === 0 ? 5 : 10);
      state.running--;
      if (item % 10 === 0) throw new Error(`item ${item}`);
    };
    return { state, worker };
  }

  test('reports one error of ten and leaves the rest running; gatherSettled reports all when nothing runs', async () => {
    const naive = workload();
    let runningWhenTold: number | undefined;
    const told = promiseAll(range(100), naive.worker).catch((error: Error) => {
      runningWhenTold = naive.state.running;
      return error.message;
    });
    await elapsed(told);
    expect(await told).toBe('item 0');
    expect(runningWhenTold).toBeGreaterThanOrEqual(90);

    const { state, worker } = workload();
    const gathering = gatherSettled(range(100), worker).then((gathered) => ({
      ...gathered,
      running: state.running,
    }));
    await elapsed(gathering);
    const { errors, succeeded, running } = await gathering;
    expect(errors.map(({ item }) => item)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    expect({ succeeded, running }).toEqual({ succeeded: 90, running: 0 });
  });

  test('starts all 100 at once; gatherSettled starts 16', async () => {
    const naive = workload();
    await elapsed(promiseAll(range(100), naive.worker));
    expect(naive.state.mostRunning).toBe(100);

    const { state, worker } = workload();
    await elapsed(gatherSettled(range(100), worker));
    expect(state.mostRunning).toBe(16);
  });
});

describe('a bare retry loop', () => {
  test('brings 100 callers that failed together back in one instant; retry spreads them', async () => {
    const secondAttempts = async (run: (task: () => Promise<void>) => Promise<void>) => {
      const beginMs = performance.now();
      const comebacks = new Set<number>();
      const callers = range(100).map(() => {
        let attempts = 0;
        return run(async () => {
          if (++attempts === 1) throw new Error('503');
          comebacks.add(performance.now() - beginMs);
        });
      });
      await elapsed(Promise.all(callers));
      return comebacks;
    };
    expect([...(await secondAttempts((task) => bareRetry(task)))]).toEqual([100]);

    let draws = 0;
    vi.spyOn(Math, 'random').mockImplementation(() => (draws++ + 0.5) / 100);
    expect([...(await secondAttempts((task) => retry(task)))]).toEqual(range(100));
  });

  test('doubles its pause to 51 s; retry stops at 10', async () => {
    const fail = async () => {
      throw new Error('503');
    };
    const pauses = (...ms: number[]) => ms.reduce((sum, pauseMs) => sum + pauseMs, 0);
    expect(await elapsed(bareRetry(fail, 11))).toBe(
      pauses(100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200),
    );

    const backoff = exponential({ jitter: 'none' });
    expect(await elapsed(retry(fail, { attempts: 11, backoff }))).toBe(
      pauses(100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000),
    );
  });
});

describe('an array as wait queue', () => {
  function sharedSignal() {
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const listeners = () => getEventListeners(controller.signal, 'abort').length;
    return { controller, signal: controller.signal, listeners };
  }

  test('adds a listener per waiter to a shared signal; Semaphore adds one', async () => {
    const naive = sharedSignal();
    const arrayQueue = new ArrayQueueSemaphore(1);
    const naiveCallers = range(1_000).map(() => arrayQueue.acquire(naive.signal));
    expect(naive.listeners()).toBe(999);
    naive.controller.abort();
    await Promise.allSettled(naiveCallers);

    const { controller, signal, listeners } = sharedSignal();
    const semaphore = new Semaphore(1);
    const callers = range(1_000).map(() => semaphore.acquire({ signal }));
    expect(listeners()).toBe(1);
    controller.abort();
    await Promise.allSettled(callers);
    expect({ listeners: listeners(), waiting: semaphore.waiting }).toEqual({ listeners: 0, waiting: 0 });
  });

  test('leaves a listener behind for every caller it served; Semaphore leaves none', async () => {
    const naive = sharedSignal();
    const arrayQueue = new ArrayQueueSemaphore(1);
    await Promise.all(range(1_000).map(() => arrayQueue.run(nothing, naive.signal)));
    expect(naive.listeners()).toBe(999);

    const { signal, listeners } = sharedSignal();
    const semaphore = new Semaphore(1);
    await Promise.all(range(1_000).map(() => semaphore.run(nothing, { signal })));
    expect(listeners()).toBe(0);
  });

  test('searches the queue for each waiter that gives up; Semaphore searches nothing', async () => {
    const searches = vi.spyOn(Array.prototype, 'indexOf');
    const abortAll = async (wait: (signal: AbortSignal) => Promise<unknown>) => {
      const controllers = range(1_000).map(() => new AbortController());
      const callers = controllers.map(({ signal }) => wait(signal));
      searches.mockClear();
      for (const controller of controllers) controller.abort();
      const count = searches.mock.calls.length;
      await Promise.allSettled(callers);
      return count;
    };
    const arrayQueue = new ArrayQueueSemaphore(1);
    void arrayQueue.acquire();
    expect(await abortAll((signal) => arrayQueue.acquire(signal))).toBe(1_000);

    const semaphore = new Semaphore(1);
    semaphore.tryAcquire();
    expect(await abortAll((signal) => semaphore.acquire({ signal }))).toBe(0);
    expect(semaphore.waiting).toBe(0);
  });
});
