/**
 * What p-limit, p-retry, async-mutex and p-map promise in their READMEs, asked of them and of an adapter of some lines over this
 * package. Where the answers differ, the migration page says so.
 */
import { readFile } from 'node:fs/promises';
import { Mutex as AsyncMutex, E_CANCELED, E_TIMEOUT, withTimeout } from 'async-mutex';
import { constant, gatherSettled, Mutex, type Permit, retry, Semaphore } from 'latchkey';
import pLimit from 'p-limit';
import pMap from 'p-map';
import pRetry, { AbortError } from 'p-retry';
import { describe, expect, test } from 'vitest';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const down = () => Promise.reject(new Error('down'));
const told = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : error);

/** One promise: the answer of the package, and of the adapter where it is another. */
interface Promised<Api> {
  readonly what: string;
  ask(api: Api): Promise<unknown>;
  readonly answer: unknown;
  readonly differs?: { readonly ours: unknown; readonly page: RegExp };
}

function both<Api>(name: string, theirs: Api, ours: Api, promised: readonly Promised<Api>[]): void {
  describe(name, () => {
    test.each(promised.map((each) => [each.what, each] as const))('%s', async (_what, each) => {
      expect(await each.ask(theirs), name).toEqual(each.answer);
      expect(await each.ask(ours), 'latchkey').toEqual(
        each.differs === undefined ? each.answer : each.differs.ours,
      );
      const page = await readFile(new URL(`../../docs/migrating/${name}.md`, import.meta.url), 'utf8');
      if (each.differs !== undefined) expect(page).toMatch(each.differs.page);
    });
  });
}

/** Runs `size` tasks; the most at once, and the order of their starts. */
async function crowd(size: number, run: (task: () => Promise<void>, n: number) => Promise<unknown>) {
  let [running, most] = [0, 0];
  const started: number[] = [];
  const task = (n: number) => async () => {
    started.push(n);
    most = Math.max(most, ++running);
    await turn();
    running--;
  };
  await Promise.all(Array.from({ length: size }, (_, n) => run(task(n), n)));
  return { most, inOrder: started.every((n, i) => n === i) };
}

interface Limit {
  <A extends unknown[], T>(task: (...args: A) => T | PromiseLike<T>, ...args: A): Promise<T>;
  readonly activeCount: number;
  readonly pendingCount: number;
  concurrency: number;
  clearQueue(): void;
  map<T, R>(items: Iterable<T>, mapper: (item: T, index: number) => R | PromiseLike<R>): Promise<R[]>;
}

function ourLimit(concurrency: number): Limit {
  const semaphore = new Semaphore(concurrency);
  const limit = <A extends unknown[], T>(task: (...args: A) => T | PromiseLike<T>, ...args: A) =>
    semaphore.run(() => task(...args));
  return Object.defineProperties(limit, {
    activeCount: { get: () => semaphore.held },
    pendingCount: { get: () => semaphore.waiting },
    concurrency: {
      get: () => semaphore.limit,
      set: (to: number) => {
        semaphore.limit = to;
      },
    },
    clearQueue: { value: () => semaphore.refuseWaiting() },
    map: {
      value: <T, R>(items: Iterable<T>, mapper: (item: T, index: number) => R | PromiseLike<R>) =>
        Promise.all(Array.from(items, (item, index) => limit(() => mapper(item, index)))),
    },
  }) as unknown as Limit;
}

both<(concurrency: number) => Limit>('p-limit', (concurrency) => pLimit(concurrency) as Limit, ourLimit, [
  {
    what: 'never more than the limit at once, first come, first served',
    ask: (make) => crowd(20, make(3)),
    answer: { most: 3, inOrder: true },
  },
  {
    what: 'arguments are passed on, and the value comes back',
    ask: (make) => make(1)((a: number, b: number) => a + b, 1, 2),
    answer: 3,
  },
  {
    what: 'a task that throws at once or rejects fails its own call only',
    ask: async (make) => {
      const limit = make(1);
      const boom = () => {
        throw new Error('boom');
      };
      return Promise.all([limit(boom).catch(told), limit(down).catch(told), limit(() => 'next')]);
    },
    answer: ['Error: boom', 'Error: down', 'next'],
  },
  {
    what: 'the counts say how many run and how many wait',
    ask: async (make) => {
      const limit = make(2);
      const tasks = [1, 2, 3].map(() => limit(turn));
      await Promise.resolve();
      const during = [limit.activeCount, limit.pendingCount];
      await Promise.all(tasks);
      return [...during, limit.activeCount, limit.pendingCount];
    },
    answer: [2, 1, 0, 0],
  },
  {
    what: 'a limit that is raised lets waiting tasks start',
    ask: async (make) => {
      const limit = make(1);
      let started = 0;
      const tasks = [1, 2, 3].map(() =>
        limit(() => new Promise((resolve) => setTimeout(resolve, 5, started++))),
      );
      await turn();
      limit.concurrency = 3;
      await turn();
      const during = started;
      await Promise.all(tasks);
      return during;
    },
    answer: 3,
  },
  {
    what: 'map gives results in the order of the input',
    ask: (make) => make(2).map([3, 1, 2], async (n, index) => `${index}:${n}`),
    answer: ['0:3', '1:1', '2:2'],
  },
  {
    what: 'clearQueue() discards what waits, and what runs goes on',
    ask: async (make) => {
      const limit = make(1);
      const running = limit(async () => turn().then(() => 'ran'));
      let waiting: unknown = 'pending for ever';
      limit(() => 'never').catch((error) => {
        waiting = error.name;
      });
      await Promise.resolve();
      limit.clearQueue();
      const ran = await running;
      await turn();
      return [ran, waiting];
    },
    answer: ['ran', 'pending for ever'],
    differs: { ours: ['ran', 'AbortError'], page: /clearQueue/ },
  },
  {
    what: 'a task that is granted at once starts in a later microtask',
    ask: async (make) => {
      const log: string[] = [];
      const ran = make(1)(() => void log.push('task'));
      log.push('after the call');
      await ran;
      return log;
    },
    answer: ['after the call', 'task'],
    differs: { ours: ['task', 'after the call'], page: /starts inside the call/ },
  },
]);

interface RetryTerms {
  retries: number;
  signal?: AbortSignal;
  shouldRetry?: (error: Error) => boolean;
  onFailedAttempt?: (attempt: number) => void;
}
type RetryApi = <T>(task: (attempt: number) => T | Promise<T>, terms: RetryTerms) => Promise<T>;

const theirRetry: RetryApi = (task, { shouldRetry, onFailedAttempt, ...terms }) =>
  pRetry(task, {
    ...terms,
    minTimeout: 1,
    ...(shouldRetry && { shouldRetry: ({ error }) => shouldRetry(error) }),
    ...(onFailedAttempt && { onFailedAttempt: ({ attemptNumber }) => onFailedAttempt(attemptNumber) }),
  });

const ourRetry: RetryApi = (task, { retries, signal, shouldRetry, onFailedAttempt }) =>
  retry(({ attempt }) => task(attempt), {
    attempts: retries + 1,
    backoff: constant(1),
    signal,
    shouldRetry: (error) =>
      !(error instanceof AbortError) && (shouldRetry === undefined || shouldRetry(error as Error)),
    onRetry: ({ attempt }) => onFailedAttempt?.(attempt),
  }).catch((error) => {
    throw error instanceof AbortError ? error.originalError : error;
  });

/** How often the task was called, and how it ended. */
async function attempts(api: RetryApi, task: (attempt: number) => unknown, terms: RetryTerms) {
  const calls: number[] = [];
  const counted = (attempt: number) => {
    calls.push(attempt);
    return task(attempt);
  };
  const end = await api(counted, terms).then((value) => value, told);
  return [calls.join(), end];
}

both<RetryApi>('p-retry', theirRetry, ourRetry, [
  {
    what: 'attempts count from 1, until one succeeds',
    ask: (api) => attempts(api, (n) => (n < 3 ? down() : 'value'), { retries: 5 }),
    answer: ['1,2,3', 'value'],
  },
  {
    what: 'after the last attempt it rejects with its error',
    ask: (api) => attempts(api, (n) => Promise.reject(new Error(`no ${n}`)), { retries: 2 }),
    answer: ['1,2,3', 'Error: no 3'],
  },
  {
    what: 'an AbortError ends it, with the error inside',
    ask: (api) => attempts(api, () => Promise.reject(new AbortError(new Error('never'))), { retries: 2 }),
    answer: ['1', 'Error: never'],
  },
  {
    what: 'shouldRetry decides',
    ask: (api) => attempts(api, down, { retries: 5, shouldRetry: () => false }),
    answer: ['1', 'Error: down'],
  },
  {
    what: 'a signal that is aborted already calls nothing',
    ask: (api) => attempts(api, down, { retries: 5, signal: AbortSignal.abort(new Error('left')) }),
    answer: ['', 'Error: left'],
  },
  {
    what: 'an abort ends it with the reason of the signal',
    ask: (api) => {
      const controller = new AbortController();
      const task = () => {
        controller.abort(new Error('left'));
        return down();
      };
      return attempts(api, task, { retries: 5, signal: controller.signal });
    },
    answer: ['1', 'Error: left'],
  },
  {
    what: 'a TypeError that is no network error is not retried',
    ask: (api) => attempts(api, () => Promise.reject(new TypeError('a bug')), { retries: 2 }),
    answer: ['1', 'TypeError: a bug'],
    differs: {
      ours: ['1,2,3', 'TypeError: a bug'],
      page: /`TypeError` that is no network error is retried too/,
    },
  },
  {
    what: 'a value that is no error becomes a TypeError',
    ask: async (api) => {
      const end = await api(() => Promise.reject('just text'), { retries: 0 }).catch((error) => error);
      return end instanceof TypeError ? 'a TypeError' : end;
    },
    answer: 'a TypeError',
    differs: { ours: 'just text', page: /not an error\*\* becomes a `TypeError`/ },
  },
  {
    what: 'onFailedAttempt hears of every failure, the last one included',
    ask: async (api) => {
      const failed: number[] = [];
      await api(down, { retries: 2, onFailedAttempt: (n) => void failed.push(n) }).catch(() => {});
      return failed.join();
    },
    answer: '1,2,3',
    differs: {
      ours: '1,2',
      page: /`onFailedAttempt`\*\* is called for every failure, the last one included/,
    },
  },
]);

interface MutexApi {
  acquire(priority?: number): Promise<() => void>;
  runExclusive<T>(task: () => T | Promise<T>): Promise<T>;
  isLocked(): boolean;
  cancel(): void;
  waitForUnlock(): Promise<void>;
  acquireWithin(ms: number): Promise<unknown>;
}

function theirMutex(): MutexApi {
  const mutex = new AsyncMutex();
  return {
    acquire: (priority) => mutex.acquire(priority),
    runExclusive: (task) => mutex.runExclusive(async () => task()),
    isLocked: () => mutex.isLocked(),
    cancel: () => mutex.cancel(),
    waitForUnlock: () => mutex.waitForUnlock(),
    acquireWithin: (ms) => withTimeout(mutex, ms).acquire(),
  };
}

function ourMutex(): MutexApi {
  const mutex = new Mutex();
  const release = (permit: Permit) => () => permit.release();
  return {
    acquire: () => mutex.acquire().then(release),
    runExclusive: (task) => mutex.run(task),
    isLocked: () => mutex.locked,
    cancel: () => mutex.refuseWaiting(E_CANCELED),
    waitForUnlock: () => mutex.idle(),
    acquireWithin: (ms) => {
      const timedOut = (error: { code?: string }) =>
        Promise.reject(error.code === 'ERR_WAIT_TIMEOUT' ? E_TIMEOUT : error);
      return mutex.acquire({ waitTimeoutMs: ms }).then(release, timedOut);
    },
  };
}

both<() => MutexApi>('async-mutex', theirMutex, ourMutex, [
  {
    what: 'one at a time, first come, first served',
    ask: (make) => {
      const mutex = make();
      return crowd(20, (task) => mutex.runExclusive(task));
    },
    answer: { most: 1, inOrder: true },
  },
  {
    what: 'an error of the task passes through, and the lock is released',
    ask: async (make) => {
      const mutex = make();
      const failed = await mutex.runExclusive(down).catch(told);
      return [failed, mutex.isLocked(), await mutex.runExclusive(() => 'next')];
    },
    answer: ['Error: down', false, 'next'],
  },
  {
    what: 'releasing twice does not free the lock of the next holder',
    ask: async (make) => {
      const mutex = make();
      const first = await mutex.acquire();
      first();
      await mutex.acquire();
      first();
      return mutex.isLocked();
    },
    answer: true,
  },
  {
    what: 'cancel() rejects those that wait, and the holder keeps the lock',
    ask: async (make) => {
      const mutex = make();
      await mutex.acquire();
      const waiting = [mutex.acquire(), mutex.acquire()].map((wait) =>
        wait.catch((error) => error === E_CANCELED),
      );
      mutex.cancel();
      return [...(await Promise.all(waiting)), mutex.isLocked()];
    },
    answer: [true, true, true],
  },
  {
    what: 'a wait may time out, and the lock is then free for the next caller',
    ask: async (make) => {
      const mutex = make();
      const release = await mutex.acquire();
      const late = await mutex.acquireWithin(1).catch((error) => error === E_TIMEOUT);
      release();
      return [late, await mutex.runExclusive(() => 'next')];
    },
    answer: [true, 'next'],
  },
  {
    what: 'waitForUnlock() resolves when the lock is free',
    ask: async (make) => {
      const mutex = make();
      const release = await mutex.acquire();
      const unlocked = mutex.waitForUnlock().then(() => mutex.isLocked());
      release();
      return unlocked;
    },
    answer: false,
  },
  {
    what: 'a caller with a higher priority is served first',
    ask: async (make) => {
      const mutex = make();
      const release = await mutex.acquire();
      const order: string[] = [];
      const note = (name: string) => (end: () => void) => {
        order.push(name);
        end();
      };
      const waits = [mutex.acquire(0).then(note('low')), mutex.acquire(9).then(note('high'))];
      release();
      await Promise.all(waits);
      return order;
    },
    answer: ['high', 'low'],
    differs: { ours: ['low', 'high'], page: /no priorities/ },
  },
]);

interface MapTerms {
  concurrency?: number;
  stopOnError?: boolean;
  signal?: AbortSignal;
}
type MapApi = <T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  mapper: (item: T, index: number) => R | Promise<R>,
  terms?: MapTerms,
) => Promise<R[]>;

const theirMap: MapApi = (items, mapper, terms) => pMap(items, mapper as never, terms) as never;
const ourMap: MapApi = async (items, mapper, { stopOnError = true, concurrency = Infinity, signal } = {}) => {
  const stopWhen = stopOnError ? ({ failed }: { failed: number }) => failed > 0 : undefined;
  const worker = (item: never, { index }: { index: number }) => mapper(item, index);
  const options = { concurrency, ...(stopWhen && { stopWhen }), ...(signal && { signal }) };
  const gathered = await gatherSettled(items as Iterable<never>, worker, options);
  if (stopOnError && gathered.failed > 0) throw gathered.errors[0]?.error;
  return gathered.valuesOrThrow();
};

async function* later<T>(items: readonly T[]) {
  for (const item of items) {
    await turn();
    yield item;
  }
}

both<MapApi>('p-map', theirMap, ourMap, [
  {
    what: 'results are in the order of the input, with the index',
    ask: (map) => map([3, 1, 2], async (n, index) => `${index}:${n}`, { concurrency: 2 }),
    answer: ['0:3', '1:1', '2:2'],
  },
  {
    what: 'never more than the concurrency at once',
    ask: async (map) => {
      let [running, most] = [0, 0];
      const mapper = async () => {
        most = Math.max(most, ++running);
        await turn();
        running--;
      };
      await map(Array.from({ length: 20 }), mapper, { concurrency: 4 });
      return most;
    },
    answer: 4,
  },
  {
    what: 'an async iterable is mapped as its items come',
    ask: (map) => map(later([1, 2, 3]), (n) => n * 10),
    answer: [10, 20, 30],
  },
  {
    what: 'the first failure rejects the whole',
    ask: (map) =>
      map([1, 2, 3], (n) => (n === 2 ? down() : Promise.resolve(n)), { concurrency: 1 }).catch(told),
    answer: 'Error: down',
  },
  {
    what: 'with stopOnError: false every item runs, and all failures are reported',
    ask: async (map) => {
      const seen: number[] = [];
      const mapper = (n: number) => {
        seen.push(n);
        return n === 2 ? Promise.resolve(n) : Promise.reject(new Error(`no ${n}`));
      };
      const error = await map([1, 2, 3], mapper, { stopOnError: false }).catch((reason) => reason);
      return [seen.join(), error.name, error.errors.map((each: Error) => each.message).join()];
    },
    answer: ['1,2,3', 'AggregateError', 'no 1,no 3'],
  },
  {
    what: 'an aborted signal rejects with its reason',
    ask: (map) => map([1], (n) => n, { signal: AbortSignal.abort(new Error('left')) }).catch(told),
    answer: 'Error: left',
  },
  {
    what: 'an error of the source rejects the whole',
    ask: (map) => {
      const source = function* () {
        yield 1;
        throw new Error('of the source');
      };
      return map(source(), (n) => n).catch(told);
    },
    answer: 'Error: of the source',
  },
  {
    what: 'after a failure it rejects at once, while other mappers run',
    ask: async (map) => {
      let running = 0;
      const mapper = async (n: number) => {
        running++;
        for (let turns = n === 1 ? 1 : 5; turns > 0; turns--) await turn();
        running--;
        if (n === 1) throw new Error('one');
      };
      await map([1, 2, 3], mapper).catch(() => {});
      return running;
    },
    answer: 2,
    differs: { ours: 0, page: /rejects at once, while other mappers still run/ },
  },
]);
