/**
 * Arguments that have the right type and behave badly: getters that throw, or that answer differently each time they are asked;
 * signals, iterables and thenables that break their contracts. Their errors pass through untouched, nothing is held or
 * lost, and no other caller is affected.
 */
import {
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  decorrelated,
  exponential,
  gatherSettled,
  KeyedMutex,
  littlesLaw,
  RetryBudget,
  retry,
  Semaphore,
} from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { monitorEventLoop } from 'latchkey/event-loop';
import {
  getOrCreate,
  lockedTransaction,
  PostgresMutex,
  PostgresSemaphore,
  retryTransaction,
  updateVersioned,
} from 'latchkey/postgres';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import { SingleFlight } from 'latchkey/single-flight';
import { describe, expect, test } from 'vitest';
import { drained, lockLikes, watch } from '../support/lock-likes.js';

const bug = new Error('it threw');
const boom = (): never => {
  throw bug;
};

/** How a call ended: with its value, or with its error. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

const work = () => 'value';
const nobody = () => Promise.reject(new Error('nobody is there'));
const client = { connect: nobody, query: nobody };
const connector = { connect: () => ({}), close() {} };
const { signal } = new AbortController();
const wait = { signal, waitTimeoutMs: 1_000 };
const again = {
  ...{ attempts: 2, backoff: () => 0, attemptTimeoutMs: 1_000, totalTimeoutMs: 5_000, signal },
  ...{ shouldRetry: () => true, retryAfterMs: () => 0, onRetry() {}, budget: new RetryBudget() },
};
const lease = { ttlMs: 1_000, maxHoldMs: 5_000, namespace: 'test' };

/** Every callee with options, and a valid value for each of them. */
const callees: [what: string, options: object, call: (options: never) => unknown][] = [
  ['Semaphore', { maxWaiting: 5 }, (options) => new Semaphore(2, options)],
  ['Semaphore.run', { ...wait, weight: 2 }, (options) => new Semaphore(2).run(work, options)],
  ['Semaphore.acquire', { ...wait, weight: 2 }, (options) => new Semaphore(2).acquire(options)],
  ['KeyedMutex.acquireAll', wait, (options) => new KeyedMutex().acquireAll(['a', 'b'], options)],
  [
    'AdaptiveSemaphore',
    { algorithm: new AimdLimit(), maxWaiting: 5, classify: () => 'success', onLimitChange() {} },
    (options) => new AdaptiveSemaphore(options),
  ],
  ['AimdLimit', { initial: 5, min: 1, max: 9 }, (options) => new AimdLimit(options)],
  ['littlesLaw', { items: 1, durationMs: 1, withinMs: 1, min: 1, max: 2 }, littlesLaw],
  ['exponential', { initialMs: 1, maxMs: 5, factor: 2, jitter: 'full' }, exponential],
  ['decorrelated', { initialMs: 1, maxMs: 5 }, decorrelated],
  ['RetryBudget', { ratio: 1, minPerSecond: 1 }, (options) => new RetryBudget(options)],
  ['retry', again, (options) => retry(failsOnce(), options)],
  [
    'gatherSettled',
    { concurrency: 2, limiter: new Semaphore(2), signal, stopWhen: () => false, onProgress() {} },
    (options) => gatherSettled([1, 2, 3, 4], work, options),
  ],
  [
    'ConnectionPool',
    {
      max: 5,
      maxPerKey: 5,
      leasesPerConnection: 1,
      maxConnecting: 5,
      maxWaiting: 5,
      waitTimeoutMs: 5,
      onEvent() {},
    },
    (options) => new ConnectionPool(connector, options),
  ],
  [
    'ConnectionPool.use',
    wait,
    (options) => new ConnectionPool<object, string>(connector).use('a', work, options),
  ],
  ['ConnectionPool.close', { graceMs: 5 }, (options) => new ConnectionPool(connector).close(options)],
  [
    'BoundedQueue',
    { capacity: 5, policy: 'wait', onDrop() {}, onOverflow() {}, overflowIntervalMs: 5, random: Math.random },
    (options) => new BoundedQueue(options),
  ],
  [
    'BoundedQueue.offer',
    { ...wait, critical: true },
    (options) => new BoundedQueue({ capacity: 1, policy: 'sample' }).offer('item', options),
  ],
  ['SingleFlight.run', wait, (options) => new SingleFlight<string, string>().run('a', work, options)],
  [
    'monitorEventLoop',
    { thresholdMs: 5, budget: 0.5, windowMs: 5, onBlock() {}, onOverBudget() {} },
    (options) => monitorEventLoop(options).stop(),
  ],
  [
    'PostgresMutex',
    { mode: 'session', table: 'leases', ...lease },
    (options) => new PostgresMutex(client, options),
  ],
  [
    'PostgresSemaphore',
    { name: 'a', table: 'leases', ...lease },
    (options) => new PostgresSemaphore(client, 2, options),
  ],
  ['RedisMutex', { subscribe() {}, ...lease }, (options) => new RedisMutex(nobody, options)],
  [
    'RedisSemaphore',
    { name: 'a', subscribe() {}, ...lease },
    (options) => new RedisSemaphore(nobody, 2, options),
  ],
  [
    'retryTransaction',
    { isolation: 'serializable', ...again },
    (options) => retryTransaction(client, work, options),
  ],
  [
    'lockedTransaction',
    { waitTimeoutMs: 5, namespace: 'test' },
    (options) => lockedTransaction(client, 'a', work, options),
  ],
  [
    'getOrCreate',
    again,
    (options) => getOrCreate({ find: work, create: work, isConflict: () => true }, options),
  ],
  [
    'updateVersioned',
    again,
    (options) => updateVersioned({ read: () => undefined, change: work, write: () => 1 }, options),
  ],
];

function failsOnce(): () => string {
  let calls = 0;
  return () => (++calls === 1 ? boom() : 'value');
}

describe('options that misbehave', () => {
  const each = callees.flatMap(([what, options, call]) =>
    Object.keys(options).map((name) => ({ what, name, options, call })),
  );

  test.each(each)('$what: the error of a getter of $name passes through', async ({ name, options, call }) => {
    // A test of the test: with a valid value the call does not end with the bug.
    expect(await outcomeOf(() => call({ ...options } as never))).not.toBe(bug);
    const hostile = Object.defineProperty({ ...options }, name, { get: boom, enumerable: true });
    const calling = call as (options: object) => Promise<unknown> | undefined;
    expect(await outcomeOf(() => calling(hostile))).toBe(bug);
  });

  test.each(callees)('%s: options are read once, while it is called', async (_what, options, call) => {
    const reads: Record<string, number> = {};
    let isCalled = false;
    const counted = {};
    for (const [name, value] of Object.entries(options)) {
      const get = () => {
        reads[name] = (reads[name] ?? 0) + 1;
        expect(isCalled, `${name} is read later`).toBe(false);
        return value;
      };
      Object.defineProperty(counted, name, { get, enumerable: true });
    }
    const outcome = call(counted as never);
    isCalled = true;
    await outcomeOf(() => outcome);
    await drained();
    // V8 reads also what a rest pattern leaves out, and drops it.
    delete reads['isolation'];
    const names = Object.keys(options).filter((name) => name !== 'isolation');
    expect(reads).toEqual(Object.fromEntries(names.map((name) => [name, 1])));
  });
});

describe('signals that break the contract', () => {
  const rows: [what: string, make: () => object][] = [
    [
      'whose addEventListener throws',
      () => ({ aborted: false, addEventListener: boom, removeEventListener() {} }),
    ],
    [
      'whose removeEventListener throws',
      () => ({ aborted: false, addEventListener() {}, removeEventListener: boom }),
    ],
    ['without a removeEventListener', () => ({ aborted: false, addEventListener() {} })],
    [
      'that aborts while it is listened to',
      () => ({
        aborted: false,
        reason: bug,
        addEventListener(_type: string, listener: EventListenerObject) {
          listener.handleEvent(new Event('abort'));
        },
        removeEventListener() {},
      }),
    ],
    [
      'whose reason is a getter that throws',
      () =>
        Object.defineProperty({ aborted: true, addEventListener() {}, removeEventListener() {} }, 'reason', {
          get: boom,
        }),
    ],
  ];

  describe.each(lockLikes)('$name', ({ make }) => {
    test.each(rows)('a signal %s costs no other caller its turn', async (_what, makeSignal) => {
      for (const state of ['free', 'held']) {
        const lock = make();
        const holder = state === 'held' ? await lock.acquire() : undefined;
        const options = { signal: makeSignal() as AbortSignal };
        const odd = watch(lock.run(work, options));
        const next = watch(lock.run(work));
        await drained();
        // The caller that releases does not see another caller's error.
        expect(() => holder?.release()).not.toThrow();
        await drained();
        expect(odd.state).not.toBe('pending');
        expect(next).toMatchObject({ state: 'fulfilled', value: 'value' });
        expect(lock.free()).toBe(true);
      }
    });
  });
});

describe('gatherSettled: sources that misbehave', () => {
  const iterator = (next: () => unknown, more: object = {}) => ({
    [Symbol.iterator]: () => ({ next, ...more }),
  });
  const asyncIterator = (next: () => unknown, more: object = {}) => ({
    [Symbol.asyncIterator]: () => ({ next, ...more }),
  });
  const hostileStep = (name: string) => Object.defineProperty({ done: false, value: 1 }, name, { get: boom });

  const broken: [what: string, items: object, expected: unknown][] = [
    ['a Symbol.iterator that throws', { [Symbol.iterator]: boom }, bug],
    ['an iterator that is none', { [Symbol.iterator]: () => 5 }, TypeError],
    ['an async iterator that is none', { [Symbol.asyncIterator]: () => 5 }, TypeError],
    ['a next that throws', iterator(boom), bug],
    ['an async next that throws', asyncIterator(boom), bug],
    ['an async next that rejects', asyncIterator(async () => boom()), bug],
    ['steps that are no objects', iterator(() => 5), TypeError],
    ['async steps that are no objects', asyncIterator(async () => 5), TypeError],
    ['a done that throws', iterator(() => hostileStep('done')), bug],
    ['an async done that throws', asyncIterator(() => hostileStep('done')), bug],
    ['a value that throws', iterator(() => hostileStep('value')), bug],
    ['an async value that throws', asyncIterator(() => hostileStep('value')), bug],
  ];
  test.each(broken)('%s ends the run with that error', async (_what, items, expected) => {
    const outcome = watch(gatherSettled(items as Iterable<number>, work, { concurrency: 3 }));
    await drained();
    await drained();
    expect(outcome.state).toBe('rejected');
    if (expected === TypeError) expect(outcome.reason).toBeInstanceOf(TypeError);
    else expect(outcome.reason).toBe(expected);
  });

  test.each([
    ['sync', iterator],
    ['async', asyncIterator],
  ])('a %s source whose done is merely truthy has ended', async (_what, make) => {
    let pulls = 0;
    const items = make(() => ({ done: ++pulls > 3 ? 1 : 0, value: pulls }));
    const outcome = watch(gatherSettled(items as Iterable<number>, async (item) => item, { concurrency: 2 }));
    await drained();
    await drained();
    expect(outcome).toMatchObject({ state: 'fulfilled', value: { total: 3, values: [1, 2, 3] } });
  });

  test.each([
    ['sync', iterator],
    ['async', asyncIterator],
  ])('the run rejects with the error of a %s return, after the workers have ended', async (_what, make) => {
    const items = make(() => ({ done: false, value: 1 }), { return: boom });
    const options = { concurrency: 1, stopWhen: () => true };
    expect(await outcomeOf(() => gatherSettled(items as Iterable<number>, work, options))).toBe(bug);
  });
});

describe('thenables that settle twice count once', () => {
  // biome-ignore-start lint/suspicious/noThenProperty: thenables are what this is about
  const twice = {
    then(resolve: (value: string) => void, reject: (reason: unknown) => void) {
      resolve('once');
      resolve('twice');
      reject(bug);
      boom();
    },
  } as PromiseLike<string>;
  const failing = {
    then(_resolve: unknown, reject: (reason: unknown) => void) {
      reject(bug);
      boom();
    },
  } as PromiseLike<string>;
  // biome-ignore-end lint/suspicious/noThenProperty: thenables are what this is about

  test('retry', async () => {
    let calls = 0;
    const task = () => {
      calls++;
      return twice;
    };
    expect([await retry(task), calls]).toEqual(['once', 1]);
    const backoff = () => 0;
    expect(await outcomeOf(() => retry(() => failing, { attempts: 2, backoff }))).toBe(bug);
  });

  test('gatherSettled', async () => {
    const seen: unknown[] = [];
    const onProgress = (progress: object) => seen.push(progress);
    const { values, errors } = await gatherSettled([1, 2], (item) => (item === 1 ? twice : failing), {
      onProgress,
    });
    expect([values, errors, seen.length]).toEqual([['once'], [{ index: 1, item: 2, error: bug }], 2]);
  });

  test('SingleFlight', async () => {
    const flights = new SingleFlight<string, string>();
    const callers = [watch(flights.run('a', () => twice)), watch(flights.run('a', work))];
    const unlucky = watch(flights.run('b', () => failing));
    await drained();
    expect(callers).toMatchObject([
      { value: 'once', times: 1 },
      { value: 'once', times: 1 },
    ]);
    expect(unlucky).toMatchObject({ reason: bug, times: 1 });
    expect(flights.size).toBe(0);
  });

  test("a pool's hooks", async () => {
    let closed = 0;
    const close = () => {
      closed++;
      return twice as never;
    };
    const hooks = {
      connect: () => twice,
      close,
      validate: () => twice as never,
      reset: () => twice as never,
    };
    const pool = new ConnectionPool(hooks, { validateAfterIdleMs: 0, max: 1 });
    for (let use = 0; use < 3; use++) expect(await pool.use((connection) => connection)).toBe('once');
    await pool.close();
    expect([pool.stats().total, pool.stats().connected, closed]).toEqual([0, 1, 1]);
  });
});
