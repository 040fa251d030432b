import {
  AdaptiveSemaphore,
  classifyOutcome,
  type LimitAlgorithm,
  type LimitSample,
  type Outcome,
} from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, watch } from '../support/lock-likes.js';

/** An algorithm that says what it is told to say, and notes what it is shown. */
class ScriptedLimit implements LimitAlgorithm {
  limit: number;
  readonly samples: LimitSample[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  onSample(sample: LimitSample): void {
    this.samples.push(sample);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('adaptive semaphore', () => {
  test('a sample tells how long the work took, without the time in our own queue', async () => {
    const algorithm = new ScriptedLimit(1);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const first = await semaphore.acquire();
    const second = semaphore.acquire();
    vi.advanceTimersByTime(70);
    first.release();
    const permit = await second;
    vi.advanceTimersByTime(30);
    permit.release('overload');
    expect(algorithm.samples).toEqual([
      { nowMs: 1_000_070, durationMs: 70, held: 1, limit: 1, outcome: 'success' },
      { nowMs: 1_000_100, durationMs: 30, held: 1, limit: 1, outcome: 'overload' },
    ]);
  });

  test('what is ignored gives its permit back and teaches nothing', async () => {
    const algorithm = new ScriptedLimit(1);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    (await semaphore.acquire()).release('ignore');
    {
      using permit = await semaphore.acquire();
      expect(permit.released).toBe(false);
    }
    expect([semaphore.held, algorithm.samples.length]).toEqual([0, 0]);
  });

  test('the limit follows the algorithm: raising it grants waiters, lowering it interrupts nobody', async () => {
    const algorithm = new ScriptedLimit(1);
    const changes: { from: number; to: number }[] = [];
    const semaphore = new AdaptiveSemaphore({ algorithm, onLimitChange: (change) => changes.push(change) });
    const first = await semaphore.acquire();
    const waiters = [watch(semaphore.acquire()), watch(semaphore.acquire())];
    algorithm.limit = 3;
    first.release();
    await drained();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    algorithm.limit = 1;
    waiters[0]?.value?.release();
    expect([semaphore.limit, semaphore.held]).toEqual([1, 1]);
    expect(semaphore.tryAcquire()).toBeUndefined();
    expect(changes).toEqual([
      { from: 1, to: 3 },
      { from: 3, to: 1 },
    ]);
  });

  test('a limit lowered by a sample is in force before the permit of that sample goes on', async () => {
    const algorithm = new ScriptedLimit(2);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const [first] = [await semaphore.acquire(), await semaphore.acquire()];
    const waiter = watch(semaphore.acquire());
    algorithm.limit = 1;
    first.release();
    await drained();
    expect(waiter.state).toBe('pending');
  });

  test('an algorithm that throws, or answers with no limit, leaves the limit as it is', async () => {
    const algorithm = new ScriptedLimit(2);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    algorithm.limit = Number.NaN;
    await expect(semaphore.run(() => 'value')).resolves.toBe('value');
    algorithm.onSample = () => {
      throw new Error('broken');
    };
    await expect(semaphore.run(() => 'value')).resolves.toBe('value');
    expect(semaphore.stats()).toMatchObject({ limit: 2, held: 0 });
  });

  test('classify decides what run teaches, and sees values as well as errors', async () => {
    const algorithm = new ScriptedLimit(5);
    const seen: PromiseSettledResult<unknown>[] = [];
    const outcomes: Outcome[] = ['overload', 'ignore', 'success'];
    const semaphore = new AdaptiveSemaphore({
      algorithm,
      classify: (result) => {
        seen.push(result);
        return outcomes[seen.length - 1] ?? 'ignore';
      },
    });
    const error = new Error('no');
    await semaphore.run(() => 1);
    await expect(semaphore.run(() => Promise.reject(error))).rejects.toBe(error);
    await expect(
      semaphore.run(() => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(seen).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ]);
    expect(algorithm.samples.map(({ outcome }) => outcome)).toEqual(['overload', 'success']);
  });

  test('a caller who gives up before his turn is no sample', async () => {
    const algorithm = new ScriptedLimit(1);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const holder = await semaphore.acquire();
    const waiter = watch(semaphore.run(() => {}, { waitTimeoutMs: 10 }));
    vi.advanceTimersByTime(10);
    await drained();
    expect(waiter.reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT' });
    holder.release('ignore');
    expect(algorithm.samples).toEqual([]);
  });

  test('a permit that is released again while its sample is taken has one outcome', async () => {
    const algorithm = new ScriptedLimit(5);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const permit = await semaphore.acquire();
    algorithm.onSample = (sample) => {
      if (algorithm.samples.push(sample) < 5) permit.release('overload');
    };
    permit.release();
    expect(algorithm.samples.map(({ outcome }) => outcome)).toEqual(['success']);
    expect(semaphore.held).toBe(0);
  });

  test('an error that is its own cause is classified all the same', () => {
    const error = new Error('a circle');
    error.cause = error;
    expect(classifyOutcome({ status: 'rejected', reason: error })).toBe('success');
  });

  test('an outcome that is none is refused by name, and the permit comes back', async () => {
    const semaphore = new AdaptiveSemaphore();
    const permit = await semaphore.acquire();
    expect(() => permit.release('dropped' as never)).toThrow(
      new TypeError(`outcome must be 'success', 'overload' or 'ignore', got "dropped"`),
    );
    expect(semaphore.held).toBe(0);
  });

  test.each([
    ['a value', { status: 'fulfilled', value: 5 }, 'success'],
    ['a response with status 200', { status: 'fulfilled', value: { status: 200 } }, 'success'],
    ['a response with status 404', { status: 'fulfilled', value: { status: 404 } }, 'success'],
    ['a response with status 503', { status: 'fulfilled', value: { status: 503 } }, 'overload'],
    ['a response with statusCode 429', { status: 'fulfilled', value: { statusCode: 429 } }, 'overload'],
    ['an error with status 429', { status: 'rejected', reason: { status: 429 } }, 'overload'],
    ['ECONNREFUSED', { status: 'rejected', reason: { code: 'ECONNREFUSED' } }, 'overload'],
    [
      'what fetch makes of ECONNRESET',
      {
        status: 'rejected',
        reason: new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) }),
      },
      'overload',
    ],
    ['a timeout signal', { status: 'rejected', reason: new DOMException('', 'TimeoutError') }, 'overload'],
    ['our own wait timeout', { status: 'rejected', reason: { code: 'ERR_WAIT_TIMEOUT' } }, 'overload'],
    ['an abort', { status: 'rejected', reason: new DOMException('', 'AbortError') }, 'ignore'],
    ['a business error', { status: 'rejected', reason: new Error('not found') }, 'success'],
    ['null', { status: 'rejected', reason: null }, 'success'],
  ] as const)('by default %s is taken for the right outcome', (_name, result, outcome) => {
    expect(classifyOutcome(result as PromiseSettledResult<unknown>)).toBe(outcome);
  });
});
