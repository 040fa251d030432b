import { getEventListeners } from 'node:events';
import { ClosedError, constant, decorrelated, exponential, RetryBudget, retry } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, watch } from './support/lock-likes.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const failing = (error: unknown = new Error('no')) => vi.fn(() => Promise.reject(error));
const never = () => new Promise<never>(() => {});

describe('retry', () => {
  test('a task that succeeds is called once, with attempt 1 and a signal that never aborts', async () => {
    const task = vi.fn(async ({ attempt, signal }: { attempt: number; signal: AbortSignal }) => [
      attempt,
      signal.aborted,
    ]);
    await expect(retry(task)).resolves.toEqual([1, false]);
    expect(task).toHaveBeenCalledOnce();
  });

  test('three attempts by default, and the last error untouched', async () => {
    const errors = [new Error('1'), { not: 'an error' }, new Error('3')];
    const task = vi.fn(({ attempt }: { attempt: number }) => Promise.reject(errors[attempt - 1]));
    const outcome = watch(retry(task));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outcome.reason).toBe(errors[2]);
    expect(task.mock.calls.map(([{ attempt }]) => attempt)).toEqual([1, 2, 3]);
  });

  test('a task that throws at once is retried like one that rejects', async () => {
    const task = vi.fn(({ attempt }: { attempt: number }) => {
      if (attempt < 2) throw new TypeError('fetch failed');
      return 'value';
    });
    const outcome = watch(retry(task, { backoff: constant(0) }));
    await vi.advanceTimersByTimeAsync(0);
    expect(outcome.value).toBe('value');
  });

  test('each pause is what the backoff says, given the attempt and the pause before', async () => {
    const asked: [number, number][] = [];
    const backoff = (attempt: number, previousMs: number) => {
      asked.push([attempt, previousMs]);
      return attempt * 100;
    };
    const task = failing();
    watch(retry(task, { attempts: 4, backoff }));
    const calls: number[] = [];
    for (let ms = 0; ms <= 600; ms += 50) {
      await vi.advanceTimersByTimeAsync(ms === 0 ? 0 : 50);
      calls.push(task.mock.calls.length);
    }
    expect(asked).toEqual([
      [1, 0],
      [2, 100],
      [3, 200],
    ]);
    expect(calls).toEqual([1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4]);
  });

  test('an abort during the pause ends it at once, with signal.reason', async () => {
    const controller = new AbortController();
    const task = failing();
    const outcome = watch(retry(task, { backoff: constant(60_000), signal: controller.signal }));
    await drained();
    controller.abort('enough');
    await drained();
    expect(outcome.reason).toBe('enough');
    expect(task).toHaveBeenCalledOnce();
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test("an abort during an attempt aborts the attempt's signal, and waits for nobody", async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let seen: unknown;
    const outcome = watch(
      retry(
        ({ signal }) => {
          signal.addEventListener('abort', () => {
            seen = signal.reason;
          });
          return never();
        },
        { signal: controller.signal },
      ),
    );
    controller.abort(reason);
    await drained();
    expect([outcome.reason, seen]).toEqual([reason, reason]);
  });

  test('a signal that is aborted already calls nothing', async () => {
    const task = failing();
    await expect(retry(task, { signal: AbortSignal.abort('before') })).rejects.toBe('before');
    expect(task).not.toHaveBeenCalled();
  });

  test('an attempt that takes too long is told so, not waited for, and retried', async () => {
    const reasons: unknown[] = [];
    const task = vi.fn(({ attempt, signal }: { attempt: number; signal: AbortSignal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      return attempt < 3 ? never() : 'value';
    });
    const outcome = watch(retry(task, { attemptTimeoutMs: 100, backoff: constant(10) }));
    await vi.advanceTimersByTimeAsync(220);
    expect(outcome.value).toBe('value');
    expect(reasons).toMatchObject([
      { code: 'ERR_ATTEMPT_TIMEOUT', attempt: 1, timeoutMs: 100 },
      { code: 'ERR_ATTEMPT_TIMEOUT', attempt: 2, cause: reasons[0] },
    ]);
  });

  test('an attempt that fails after it timed out leaves no rejection unhandled', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const late = () => new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 50));
    const outcome = watch(retry(late, { attempts: 1, attemptTimeoutMs: 10 }));
    await vi.advanceTimersByTimeAsync(100);
    await drained();
    process.off('unhandledRejection', unhandled);
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('totalTimeoutMs ends an attempt that hangs, with the error before it as the cause', async () => {
    const first = new Error('first');
    const task = ({ attempt }: { attempt: number }) => (attempt === 1 ? Promise.reject(first) : never());
    const outcome = watch(retry(task, { totalTimeoutMs: 500, backoff: constant(100) }));
    await vi.advanceTimersByTimeAsync(499);
    expect(outcome.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(outcome.reason).toMatchObject({
      code: 'ERR_ATTEMPT_TIMEOUT',
      attempt: 2,
      timeoutMs: 400,
      cause: first,
    });
  });

  test('a pause that would not fit into totalTimeoutMs is not begun', async () => {
    const error = new Error('no');
    const outcome = watch(retry(failing(error), { totalTimeoutMs: 500, backoff: constant(500) }));
    await drained();
    expect(outcome.reason).toBe(error);
  });

  test('an error of a closed object is not retried', async () => {
    const error = new ClosedError('the pool');
    const task = failing(error);
    await expect(retry(task)).rejects.toBe(error);
    expect(task).toHaveBeenCalledOnce();
  });

  test('shouldRetry decides, also asynchronously, and sees the error and the attempt', async () => {
    const error = new Error('no');
    const asked = vi.fn(async (_error: unknown, { attempt }: { attempt: number }) => attempt < 2);
    const outcome = watch(retry(failing(error), { attempts: 9, backoff: constant(0), shouldRetry: asked }));
    await vi.advanceTimersByTimeAsync(0);
    expect(outcome.reason).toBe(error);
    expect(asked.mock.calls).toEqual([
      [error, { attempt: 1 }],
      [error, { attempt: 2 }],
    ]);
  });

  test('what the server asked for wins over the backoff, 0 included', async () => {
    const delays: number[] = [];
    const task = ({ attempt }: { attempt: number }) =>
      Promise.reject({ retryAfterMs: [70, 0, undefined][attempt - 1] });
    watch(
      retry(task, {
        attempts: 4,
        backoff: constant(5),
        retryAfterMs: (error) => (error as { retryAfterMs?: number }).retryAfterMs,
        onRetry: ({ delayMs }) => delays.push(delayMs),
      }),
    );
    await vi.advanceTimersByTimeAsync(200);
    expect(delays).toEqual([70, 0, 5]);
  });

  test.each([
    ['retryAfterMs', { retryAfterMs: () => Number.NaN }],
    ['the backoff', { backoff: () => -1 }],
  ])('%s that gives no duration is refused by name', async (name, options) => {
    await expect(retry(failing(), options)).rejects.toThrow(`${name} must be at least 0 milliseconds`);
  });

  test('what a hook throws ends the retry and is what it rejects with', async () => {
    const bug = new Error('a bug in the hook');
    const hook = () => {
      throw bug;
    };
    await expect(retry(failing(), { shouldRetry: hook })).rejects.toBe(bug);
    await expect(retry(failing(), { retryAfterMs: hook })).rejects.toBe(bug);
    await expect(retry(failing(), { backoff: hook })).rejects.toBe(bug);
    await expect(retry(failing(), { onRetry: hook })).rejects.toBe(bug);
  });

  test.each([
    ['task', () => retry('no task' as never)],
    ['options', () => retry(() => 1, 5 as never)],
    ['attempts', () => retry(() => 1, { attempts: 0 })],
    ['attempts', () => retry(() => 1, { attempts: 1.5 })],
    ['attemptTimeoutMs', () => retry(() => 1, { attemptTimeoutMs: Number.NaN })],
    ['totalTimeoutMs', () => retry(() => 1, { totalTimeoutMs: -1 })],
    ['backoff', () => retry(() => 1, { backoff: 100 as never })],
    ['shouldRetry', () => retry(() => 1, { shouldRetry: true as never })],
    ['budget', () => retry(() => 1, { budget: 5 as never })],
    ['signal', () => retry(() => 1, { signal: {} as never })],
  ])('a bad %s rejects at once, by name', async (name, call) => {
    const error = await call().catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toContain(name);
  });
});

describe('backoff', () => {
  const least = () => 0;
  const most = () => 1 - Number.EPSILON;

  test('exponential doubles from 100 ms to 10 s, and full jitter spreads it from 0', () => {
    const backoff = exponential({ jitter: 'none' });
    expect([1, 2, 3, 7, 8, 9].map((attempt) => backoff(attempt, 0, most))).toEqual([
      100, 200, 400, 6_400, 10_000, 10_000,
    ]);
    expect(exponential()(3, 0, least)).toBe(0);
    expect(exponential()(3, 0, most)).toBeCloseTo(400);
    expect(exponential({ jitter: 'equal' })(3, 0, least)).toBe(200);
    expect(exponential({ jitter: 'equal' })(3, 0, most)).toBeCloseTo(400);
  });

  test('decorrelated draws from the first delay to three times the previous one', () => {
    const backoff = decorrelated({ initialMs: 100, maxMs: 1_000 });
    expect(backoff(1, 0, most)).toBe(100);
    expect(backoff(2, 100, most)).toBeCloseTo(300);
    expect(backoff(2, 100, least)).toBe(100);
    expect(backoff(3, 900, most)).toBe(1_000);
  });

  test.each([exponential(), exponential({ initialMs: 0 }), decorrelated(), constant(5)])(
    'no backoff is ever NaN, negative or endless, even after 10,000 attempts',
    (backoff) => {
      let previousMs = 0;
      for (let attempt = 1; attempt <= 10_000; attempt++) {
        previousMs = backoff(attempt, previousMs, Math.random);
        expect(previousMs >= 0 && previousMs <= 10_000).toBe(true);
      }
    },
  );

  test.each([
    ['initialMs', () => exponential({ initialMs: -1 })],
    ['maxMs', () => exponential({ maxMs: Infinity })],
    ['factor', () => exponential({ factor: 0.5 })],
    ['jitter', () => exponential({ jitter: 'some' as never })],
    ['delayMs', () => constant(Number.NaN)],
    ['initialMs', () => decorrelated({ initialMs: '1' as never })],
  ])('a bad %s is refused by name', (name, make) => {
    expect(make).toThrow(name);
  });
});

describe('retry budget', () => {
  test('retries stay a share of the calls, over all who share the budget', async () => {
    const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 0 });
    const task = failing();
    const calls = Array.from({ length: 1_000 }, () => watch(retry(task, { backoff: constant(0), budget })));
    await vi.advanceTimersByTimeAsync(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(calls.every(({ state }) => state === 'rejected')).toBe(true);
    const retries = task.mock.calls.length - 1_000;
    expect(retries).toBeGreaterThan(0);
    expect(retries).toBeLessThanOrEqual(100);
  });

  test('without tokens the error is rethrown at once', async () => {
    const error = new Error('no');
    const task = failing(error);
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0 });
    await expect(retry(task, { budget })).rejects.toBe(error);
    expect(task).toHaveBeenCalledOnce();
  });

  test('callers too rare to earn a retry have minPerSecond of them', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 2 });
    const spend = () => {
      let spent = 0;
      while (budget.tryWithdraw()) spent++;
      return spent;
    };
    expect(spend()).toBe(20);
    vi.advanceTimersByTime(3_000);
    expect(spend()).toBe(6);
    vi.advanceTimersByTime(3_600_000);
    expect(spend()).toBeLessThanOrEqual(21);
  });

  test('successes do not spend', async () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.1 });
    for (let i = 0; i < 100; i++) await retry(() => 'value', { budget });
    expect(budget.tryWithdraw()).toBe(true);
  });

  test.each([{ ratio: -1 }, { ratio: Number.NaN }, { minPerSecond: Infinity }, { ratio: '1' as never }])(
    '%o is refused',
    (options) => {
      expect(() => new RetryBudget(options)).toThrow(Object.keys(options)[0]);
    },
  );
});
