/** Every hook that users can give, and what each may do without harm: H1 to H4 of calling/listeners. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  AdaptiveSemaphore,
  ConnectionPool,
  type Connector,
  type GatherStreamOptions,
  gatherSettled,
  gatherStream,
  type LimitSample,
  Mutex,
  retry,
  Semaphore,
} from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { monitorEventLoop } from 'latchkey/event-loop';
import { fairShare } from 'latchkey/overload';
import { getOrCreate } from 'latchkey/postgres';
import { watch } from 'latchkey/watch';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';

/** A hook of any type. */
type AnyHook = (...args: unknown[]) => never;

interface HookRow {
  readonly name: string;
  /** An answer that is in order. */
  readonly answer?: unknown;
  /** Whose async context it runs in. */
  readonly context: 'maker' | 'caller';
  /** Makes the object that has the hook. The function it returns makes the call that calls the hook, and returns its outcome. */
  make(hook: AnyHook): () => unknown;
}

const overflowing = (option: 'onDrop' | 'onOverflow') => (hook: AnyHook) => {
  const queue = new BoundedQueue<number>({ capacity: 1, policy: 'drop-newest', [option]: hook });
  return async () => [await queue.offer(1), await queue.offer(2)];
};

/** An algorithm whose limit grows with every sample. */
function growing(onSample: (sample: LimitSample) => unknown = () => {}) {
  return {
    limit: 1,
    onSample(sample: LimitSample) {
      this.limit++;
      return onSample(sample) as never;
    },
  };
}

async function outcomesOf(options: GatherStreamOptions) {
  const outcomes: unknown[] = [];
  for await (const outcome of gatherStream([1, 2], (item) => item, options)) outcomes.push(outcome);
  return outcomes;
}

function failingOnce(): () => string {
  let calls = 0;
  return () => {
    if (calls++ === 0) throw new Error('once');
    return 'value';
  };
}

/** One use that ends well, and one whose task fails. */
const pooled = (hooks: (hook: AnyHook) => Partial<Connector<object, string>>) => (hook: AnyHook) => {
  const errors: unknown[] = [];
  const pool = new ConnectionPool<object, string>(
    { connect: () => ({}), close() {}, ...hooks(hook) },
    {
      onEvent: (event) => {
        if (event.type === 'hookError') errors.push(event.error);
      },
    },
  );
  return async () => {
    const fails = () => Promise.reject(new Error('the task failed'));
    const uses = [];
    for (const task of [() => 'value', fails, () => 'value'])
      uses.push(
        await pool
          .use('key', task)
          .catch((error) => (error instanceof TypeError ? errors.push(error) : 'failed')),
      );
    await pool.close();
    if (errors.length > 0) throw errors[0];
    return uses;
  };
};

const monitored = (option: 'onBlock' | 'onOverBudget') => (hook: AnyHook) => {
  let onCall = () => {};
  const called = new Promise<void>((resolve) => {
    onCall = resolve;
  });
  const told = (...args: unknown[]) => {
    onCall();
    return hook(...args);
  };
  const monitor = monitorEventLoop({ thresholdMs: 4, windowMs: 1, budget: 0, [option]: told });
  return async () => {
    const endMs = performance.now() + 30;
    while (performance.now() < endMs);
    await called;
    monitor.stop();
  };
};

const listeners: HookRow[] = [
  { name: 'BoundedQueue onDrop', context: 'maker', make: overflowing('onDrop') },
  { name: 'BoundedQueue onOverflow', context: 'maker', make: overflowing('onOverflow') },
  {
    name: 'AdaptiveSemaphore onLimitChange',
    context: 'maker',
    make: (onLimitChange) => {
      const semaphore = new AdaptiveSemaphore({ algorithm: growing(), onLimitChange });
      return async () => [await semaphore.run(() => 'value'), semaphore.limit, semaphore.held];
    },
  },
  {
    name: 'LimitAlgorithm onSample',
    context: 'maker',
    make: (hook) => {
      const semaphore = new AdaptiveSemaphore({ algorithm: growing(hook) });
      return async () => [await semaphore.run(() => 'value'), semaphore.held];
    },
  },
  {
    name: 'retry onRetry',
    context: 'caller',
    make: (onRetry) => () => retry(failingOnce(), { onRetry, backoff: () => 0 }),
  },
  {
    name: 'gatherSettled onProgress',
    context: 'caller',
    make: (onProgress) => async () => (await gatherSettled([1, 2], (item) => item, { onProgress })).values,
  },
  {
    name: 'gatherStream onProgress',
    context: 'caller',
    make: (onProgress) => () => outcomesOf({ onProgress }),
  },
  {
    name: 'ConnectionPool onEvent',
    context: 'maker',
    make: (onEvent) => {
      const pool = new ConnectionPool<object>({ connect: () => ({}), close() {} }, { onEvent });
      return async () => [await pool.use(() => 'value'), await pool.close()];
    },
  },
  { name: 'Connector ref', context: 'maker', make: pooled((ref) => ({ ref })) },
  { name: 'Connector unref', context: 'maker', make: pooled((unref) => ({ unref })) },
  { name: 'monitorEventLoop onBlock', context: 'maker', make: monitored('onBlock') },
  { name: 'monitorEventLoop onOverBudget', context: 'maker', make: monitored('onOverBudget') },
  {
    name: 'watch onReport',
    context: 'maker',
    make: (onReport) => {
      const watcher = watch({ deadlocks: 'reject', onReport });
      onTestFinished(() => watcher.stop());
      const mutex = new Mutex();
      return async () => {
        const error = await mutex.run(() => mutex.run(() => 'never')).catch((reason) => reason);
        watcher.stop();
        return error.code;
      };
    },
  },
];

const deciders: HookRow[] = [
  {
    name: 'BoundedQueue random',
    answer: 0,
    context: 'maker',
    make: (random) => {
      const queue = new BoundedQueue<number>({ capacity: 10, policy: 'sample', random });
      return async () => {
        const offered = [];
        for (let item = 0; item < 10; item++) offered.push(await queue.offer(item));
        return offered;
      };
    },
  },
  {
    name: 'ConnectionPool maxPerKey',
    answer: 1,
    context: 'maker',
    make: (maxPerKey) => {
      const pool = new ConnectionPool<object, string>({ connect: () => ({}), close() {} }, { maxPerKey });
      return async () => [await pool.use('key', () => 'value'), await pool.close()];
    },
  },
  {
    name: 'fairShare share',
    answer: 1,
    context: 'maker',
    make: (share) => {
      const semaphore = new Semaphore(1, { order: fairShare({ share }) });
      return async () => {
        const permit = await semaphore.acquire();
        const waits = semaphore.run(() => 'value', { partition: 'tenant' });
        permit.release();
        return waits;
      };
    },
  },
  {
    name: 'AdaptiveSemaphore classify',
    answer: 'success',
    context: 'maker',
    make: (classify) => {
      const semaphore = new AdaptiveSemaphore({ classify });
      return async () => {
        try {
          return await semaphore.run(() => 'value');
        } finally {
          expect(semaphore.held).toBe(0);
        }
      };
    },
  },
  {
    name: 'retry retryAfterMs',
    answer: 0,
    context: 'caller',
    make: (retryAfterMs) => () => retry(failingOnce(), { retryAfterMs }),
  },
  {
    name: 'retry backoff',
    answer: 0,
    context: 'caller',
    make: (backoff) => () => retry(failingOnce(), { backoff }),
  },
  {
    name: 'gatherSettled stopWhen',
    answer: false,
    context: 'caller',
    make: (stopWhen) => async () => (await gatherSettled([1, 2], (item) => item, { stopWhen })).values,
  },
  {
    name: 'gatherStream stopWhen',
    answer: false,
    context: 'caller',
    make: (stopWhen) => () => outcomesOf({ stopWhen }),
  },
  { name: 'Connector isAlive', answer: true, context: 'maker', make: pooled((isAlive) => ({ isAlive })) },
  {
    name: 'Connector isReusable',
    answer: true,
    context: 'maker',
    make: pooled((isReusable) => ({ isReusable })),
  },
  {
    name: 'ConnectionPool maxPerKey',
    answer: 1,
    context: 'maker',
    make: (maxPerKey) => {
      const connector = { connect: () => ({}), close() {} };
      const pool = new ConnectionPool<object, string>(connector, { maxPerKey });
      return async () => {
        const value = await pool.use('key', () => 'value');
        await pool.close();
        return value;
      };
    },
  },
  { name: 'Connector keyId', answer: 'id', context: 'maker', make: pooled((keyId) => ({ keyId })) },
  {
    name: 'getOrCreate isConflict',
    answer: true,
    context: 'caller',
    make: (isConflict) => () => {
      let finds = 0;
      const find = async () => (finds++ === 0 ? undefined : 'found');
      return getOrCreate({ find, create: () => Promise.reject(new Error('conflict')), isConflict });
    },
  },
];

const storage = new AsyncLocalStorage<string>();
const unhandled: unknown[] = [];
const record = (error: unknown) => unhandled.push(error);
beforeEach(() => void process.on('unhandledRejection', record));
afterEach(async () => {
  // Node reports an unhandled rejection after the microtasks of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', record);
  expect(unhandled.splice(0), 'unhandled rejections').toEqual([]);
});

/** Makes it in one context and calls it in another. Returns the outcome, and the context of the hook. */
async function use({ make }: HookRow, behave: () => unknown) {
  const contexts = new Set<string | undefined>();
  const hook = () => {
    contexts.add(storage.getStore());
    return behave() as never;
  };
  const call = storage.run('maker', () => make(hook));
  const result = await storage.run('caller', async () => {
    try {
      return { value: await call() };
    } catch (error) {
      return { error: error as Error };
    }
  });
  return { result, contexts: [...contexts] };
}

const behaviours: Record<string, () => unknown> = {
  throws: () => {
    throw new Error('a bug in the hook');
  },
  rejects: () => Promise.reject(new Error('a bug in the hook')),
  'answers a promise that never settles': () => new Promise(() => {}),
  'answers an object whose then throws': () =>
    Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('a bug in the hook');
      },
    }),
};

describe.each(listeners)('the listener $name', (row) => {
  test(`H2: runs in the context of the ${row.context}`, async () => {
    const { contexts } = await use(row, () => {});
    expect(contexts).toEqual([row.context]);
  });

  test.each(Object.entries(behaviours))('H1, H3: changes nothing when it %s', async (_, behave) => {
    const { result: expected } = await use(row, () => {});
    expect(expected).toHaveProperty('value');
    const { result, contexts } = await use(row, behave);
    if (row.name.startsWith('Connector') && 'error' in result)
      expect(result.error.message).toBe('a bug in the hook');
    else expect(result).toEqual(expected);
    expect(contexts).toHaveLength(1);
  });
});

describe.each(deciders)('the decider $name', (row) => {
  test(`H2: runs in the context of the ${row.context}`, async () => {
    const { result, contexts } = await use(row, () => row.answer);
    expect(result).toHaveProperty('value');
    expect(contexts).toEqual([row.context]);
  });

  test('H1: an error of the hook causes no unhandled rejection', async () => {
    const { contexts } = await use(row, behaviours['throws']!);
    expect(contexts).toHaveLength(1);
  });

  test.each([
    ['resolves', () => Promise.resolve(row.answer)],
    ['rejects', behaviours['rejects']!],
    ['never settles', behaviours['answers a promise that never settles']!],
  ])('H4: a promise that %s is refused, and the error names the hook', async (_, behave) => {
    const { result } = await use(row, behave);
    const hook = row.name.split(' ')[1]!;
    expect(result.error).toBeInstanceOf(TypeError);
    expect(result.error?.message).toBe(`${hook} must answer at once, but it returned a promise`);
  });
});

/** Functions of users that may take their time: they are awaited, and their errors reach the caller or the pool. */
const awaited = [
  ...['connect', 'close', 'validate', 'reset'].map((name) => `Connector.${name}`),
  'RetryOptions.shouldRetry',
  ...['find', 'create'].map((name) => `GetOrCreate.${name}`),
  // Called by the user's own call of `stats()`.
  'LimitAlgorithm.snapshot',
];

test('every function in the options of the package has a row, or is awaited', async () => {
  const src = fileURLToPath(new URL('../../src', import.meta.url));
  const rows = new Set([...listeners, ...deciders].map(({ name }) => name.split(' ')[1]));
  const found: string[] = [];
  for (const file of (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts'))) {
    const text = await readFile(path.join(src, file), 'utf8');
    const interfaces =
      /^export interface (\w*Options|Connector|LimitAlgorithm|GetOrCreate)\b[^{]*\{\n([\s\S]*?)^\}/gm;
    for (const [, owner, body = ''] of text.matchAll(interfaces)) {
      const functions = body.matchAll(
        /^ {2}(?:readonly )?(\w+)\??(?:\(|: (?:[^\n]*=>|[^\n]*\bPerKey<|Backoff\b))/gm,
      );
      for (const [, name = ''] of functions) found.push(rows.has(name) ? name : `${owner}.${name}`);
    }
  }
  expect(found.filter((name) => name.includes('.')).sort()).toEqual([...awaited].sort());
  expect([...rows].filter((name) => !found.includes(name ?? ''))).toEqual([]);
});
