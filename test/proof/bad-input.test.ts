/**
 * Bad arguments, by example: how the message shows the value, and the state of the lock afterwards. Every argument of every public
 * function is in bad-input.property.test.ts, those that misbehave are in bad-input.misbehaving.test.ts, the pool's in test/pool.
 */
import { KeyedMutex, Mutex, Semaphore } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, lockLikes, watch } from '../support/lock-likes.js';

/** A value that is refused, and how the message shows it. */
type Bad = readonly [value: unknown, kind: typeof TypeError | typeof RangeError, printed: string];

const noNumbers: Bad[] = [
  ['5', TypeError, '"5"'],
  [null, TypeError, 'null'],
  [true, TypeError, 'true'],
  [5n, TypeError, '5n'],
  [[5], TypeError, '[5]'],
  [{}, TypeError, 'an object'],
  [Symbol('five'), TypeError, 'Symbol(five)'],
];
const noDurations: Bad[] = [
  ...noNumbers,
  [Number.NaN, RangeError, 'NaN'],
  [-1, RangeError, '-1'],
  [-Infinity, RangeError, '-Infinity'],
];
const noCounts: Bad[] = [
  ...noDurations,
  [-0, RangeError, '-0'],
  [1.5, RangeError, '1.5'],
  [2 ** 53, RangeError, '9007199254740992'],
];
const noLimits: Bad[] = [...noCounts, [0, RangeError, '0']];
const infinite: Bad = [Infinity, RangeError, 'Infinity'];
const noObjects: Bad[] = [
  [null, TypeError, 'null'],
  [5, TypeError, '5'],
  ['text', TypeError, '"text"'],
  [() => {}, TypeError, 'a function'],
];
const noFunctions: Bad[] = [
  [null, TypeError, 'null'],
  [{}, TypeError, 'an object'],
  ['text', TypeError, '"text"'],
];
const noSignals: Bad[] = [
  [null, TypeError, 'null'],
  ['abort', TypeError, '"abort"'],
  [new AbortController(), TypeError, 'an object'],
  [{ aborted: false }, TypeError, 'an object'],
];
const noIterables: Bad[] = [
  [undefined, TypeError, 'undefined'],
  [null, TypeError, 'null'],
  [5, TypeError, '5'],
  [{}, TypeError, 'an object'],
];

function refused(error: unknown, name: string, [, kind, printed]: Bad): void {
  expect(error).toBeInstanceOf(kind);
  const { message } = error as Error;
  expect(message, `names ${name}`).toMatch(new RegExp(`(^|\\W)${name.replace('.', '\\.')}(\\W|$)`));
  expect(message).toContain(`got ${printed}`);
}

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return 'nothing was thrown';
}

async function rejectionOf(call: () => Promise<unknown>): Promise<unknown> {
  // Outside of the try: a call that throws synchronously fails the test.
  const promise = call();
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return 'nothing was rejected';
}

describe('functions that return no promise throw', () => {
  test('a limit that is refused leaves the one in force', () => {
    const semaphore = new Semaphore(2);
    for (const bad of noCounts) {
      const set = () => {
        semaphore.limit = bad[0] as number;
      };
      refused(thrownBy(set), 'limit', bad);
    }
    expect(semaphore.stats()).toEqual({ limit: 2, held: 0, waiting: 0, closed: false });
  });

  test('a weight that is refused takes nothing', () => {
    const semaphore = new Semaphore(2);
    for (const bad of [...noLimits, infinite]) {
      refused(
        thrownBy(() => semaphore.tryAcquire(bad[0] as number)),
        'weight',
        bad,
      );
    }
    expect(semaphore.held).toBe(0);
  });
});

describe('functions that return a promise reject', () => {
  const work = () => 'value';

  test('Semaphore: weight', async () => {
    const semaphore = new Semaphore(1);
    const holder = semaphore.tryAcquire();
    for (const bad of [...noLimits, infinite]) {
      const weight = bad[0] as number;
      refused(await rejectionOf(() => semaphore.acquire({ weight })), 'weight', bad);
      refused(await rejectionOf(() => semaphore.run(work, { weight })), 'weight', bad);
    }
    holder?.release();
    expect(semaphore.stats()).toMatchObject({ held: 0, waiting: 0 });
  });

  test('KeyedMutex: keys', async () => {
    const mutex = new KeyedMutex<unknown>();
    for (const bad of [...noIterables, ['text', TypeError, 'the string "text"'] as const]) {
      const keys = bad[0] as Iterable<unknown>;
      refused(await rejectionOf(() => mutex.acquireAll(keys)), 'keys', bad);
      refused(await rejectionOf(() => mutex.runAll(keys, work)), 'keys', bad);
    }
    expect(mutex.size).toBe(0);
  });
});

describe.each(lockLikes)('$name', ({ make }) => {
  const options: [name: string, values: Bad[]][] = [
    ['signal', noSignals],
    ['waitTimeoutMs', noDurations],
  ];

  test.each(['free', 'held'])('refuses bad options when it is %s, and loses no permit', async (state) => {
    const lock = make();
    const holder = state === 'held' ? await lock.acquire() : undefined;
    for (const [name, values] of options) {
      for (const bad of values) {
        const options = { [name]: bad[0] };
        refused(await rejectionOf(() => lock.acquire(options)), name, bad);
        refused(await rejectionOf(() => lock.run(() => {}, options)), name, bad);
      }
    }
    for (const bad of noObjects) {
      refused(await rejectionOf(() => lock.run(() => {}, bad[0] as never)), 'options', bad);
    }
    for (const bad of noFunctions) {
      refused(await rejectionOf(() => lock.run(bad[0] as never)), 'task', bad);
    }
    holder?.release();
    await drained();
    expect(lock.free()).toBe(true);
    await expect(lock.run(() => 'ran')).resolves.toBe('ran');
  });

  test.each(['signal', 'waitTimeoutMs'])('%s whose getter throws rejects with that error', async (name) => {
    const lock = make();
    const bug = new Error('a getter threw');
    const options = Object.defineProperty({}, name, {
      get() {
        throw bug;
      },
    });
    expect(await rejectionOf(() => lock.acquire(options))).toBe(bug);
    expect(await rejectionOf(() => lock.run(() => {}, options))).toBe(bug);
    expect(lock.free()).toBe(true);
  });

  test('a getter that takes the lock while the options are read does not end in two holders', async () => {
    const lock = make();
    let inner: ReturnType<typeof lock.acquire> | undefined;
    const outer = watch(
      lock.acquire({
        get waitTimeoutMs() {
          inner ??= lock.acquire();
          return Infinity;
        },
      }),
    );
    const permit = await inner;
    await drained();
    expect(outer.state).toBe('pending');
    permit?.release();
    await drained();
    expect(outer.state).toBe('fulfilled');
    outer.value?.release();
    expect(lock.free()).toBe(true);
  });

  test('a getter that aborts the signal it is read with gives up before the wait', async () => {
    const lock = make();
    const holder = await lock.acquire();
    const controller = new AbortController();
    const waiter = watch(
      lock.acquire({
        signal: controller.signal,
        get waitTimeoutMs() {
          controller.abort('at once');
          return Infinity;
        },
      }),
    );
    await drained();
    expect(waiter).toMatchObject({ state: 'rejected', reason: 'at once' });
    holder.release();
    expect(lock.free()).toBe(true);
  });

  const bug = new Error('it threw');
  const boom = () => {
    throw bug;
  };
  // biome-ignore-start lint/suspicious/noThenProperty: thenables are what this is about
  const twice = {
    then(resolve: (value: string) => void) {
      resolve('first');
      resolve('second');
    },
  };
  const thenables: [what: string, task: () => unknown, outcome: unknown][] = [
    [
      'a thenable whose then is a getter that throws',
      () => Object.defineProperty({}, 'then', { get: boom }),
      bug,
    ],
    ['a thenable whose then throws', () => ({ then: boom }), bug],
    [
      'a thenable that resolves, then throws',
      () => ({
        then(resolve: (value: string) => void) {
          resolve('value');
          boom();
        },
      }),
      'value',
    ],
    [
      'a thenable that rejects, then resolves',
      () => ({
        then(resolve: (value: string) => void, reject: (reason: unknown) => void) {
          reject(bug);
          resolve('value');
        },
      }),
      bug,
    ],
    [
      'a promise whose own then throws, which await ignores',
      () => Object.assign(Promise.resolve('value'), { then: boom }),
      'value',
    ],
    [
      'a promise whose own then calls back twice',
      () => Object.assign(Promise.resolve('value'), twice),
      'value',
    ],
    [
      'a promise whose constructor is a getter that throws',
      () => Object.defineProperty(Promise.resolve(), 'constructor', { get: boom }),
      bug,
    ],
    [
      'a promise of another class',
      () => new (class Other<T> extends Promise<T> {})((resolve) => resolve('value')),
      'value',
    ],
  ];
  // biome-ignore-end lint/suspicious/noThenProperty: thenables are what this is about
  test.each(thenables)('a task may return %s, and the lock comes back once', async (_what, task, outcome) => {
    for (const state of ['free', 'held']) {
      const lock = make();
      const holder = state === 'held' ? await lock.acquire() : undefined;
      const run = watch(lock.run(task));
      const next = watch(lock.acquire());
      const third = watch(lock.acquire());
      holder?.release();
      await drained();
      expect(run.value ?? run.reason).toBe(outcome);
      expect([next.state, third.state]).toEqual(['fulfilled', 'pending']);
      next.value?.release();
      await drained();
      third.value?.release();
      await drained();
      expect(lock.free()).toBe(true);
    }
  });
});

describe('keys that misbehave lock nothing', () => {
  const bug = new Error('it threw');
  const boom = () => {
    throw bug;
  };
  const rows: [what: string, keys: object, expected: unknown][] = [
    ['a Symbol.iterator that throws', { [Symbol.iterator]: boom }, bug],
    ['an iterator whose next throws', { [Symbol.iterator]: () => ({ next: boom }) }, bug],
    [
      'an iterator that throws after two keys',
      (function* () {
        yield 'a';
        yield 'b';
        boom();
      })(),
      bug,
    ],
    ['a Symbol.iterator that is no function', { [Symbol.iterator]: 5 }, TypeError],
    ['an iterator that is none', { [Symbol.iterator]: () => 5 }, TypeError],
    ['steps that are no objects', { [Symbol.iterator]: () => ({ next: () => 5 }) }, TypeError],
  ];
  test.each(rows)('%s', async (_what, keys, expected) => {
    const mutex = new KeyedMutex<string>();
    const error = await rejectionOf(() => mutex.acquireAll(keys as Iterable<string>));
    if (expected === TypeError) expect(error).toBeInstanceOf(TypeError);
    else expect(error).toBe(expected);
    expect(mutex.size).toBe(0);
  });

  test('keys that are locked while they are listed are waited for, not locked twice', async () => {
    const mutex = new KeyedMutex<string>();
    const stolen: { release(): void }[] = [];
    function* keys() {
      for (const key of ['a', 'b']) {
        stolen.push(mutex.tryAcquire(key)!);
        yield key;
      }
    }
    const all = watch(mutex.acquireAll(keys()));
    await drained();
    expect([all.state, mutex.size]).toEqual(['pending', 2]);
    for (const lease of stolen) lease.release();
    await drained();
    expect(all.state).toBe('fulfilled');
    all.value?.release();
    expect(mutex.size).toBe(0);
  });

  test('a signal that is aborted while the keys are listed gives up before the wait', async () => {
    const mutex = new KeyedMutex<string>();
    const holder = mutex.tryAcquire('a');
    const controller = new AbortController();
    function* keys() {
      controller.abort('at once');
      yield 'a';
    }
    const all = watch(mutex.acquireAll(keys(), { signal: controller.signal }));
    await drained();
    expect(all).toMatchObject({ state: 'rejected', reason: 'at once' });
    holder?.release();
    expect(mutex.size).toBe(0);
  });
});

describe('huge values', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('the longest finite wait does not end early', async () => {
    const mutex = new Mutex();
    const holder = mutex.tryAcquire();
    const waiter = watch(mutex.acquire({ waitTimeoutMs: Number.MAX_VALUE }));
    vi.advanceTimersByTime(10 * 2 ** 31);
    await drained();
    expect(waiter.state).toBe('pending');
    holder?.release();
    await drained();
    waiter.value?.release();
    expect([mutex.locked, vi.getTimerCount()]).toEqual([false, 0]);
  });

  test('all units come back, for any number of them', () => {
    const largest = Number.MAX_SAFE_INTEGER;
    for (const limit of [largest, Infinity]) {
      const semaphore = new Semaphore(limit);
      const permits = [largest, largest, 1, 1, 1].map((weight) => semaphore.tryAcquire(weight));
      for (const permit of permits) permit?.release();
      expect(semaphore.held).toBe(0);
    }
  });
});
