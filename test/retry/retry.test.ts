import { getEventListeners } from 'node:events';
import { ClosedError, constant, retry, Semaphore } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, microtasks, watch } from '../support/lock-likes.js';

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
      { code: 'ERR_ATTEMPT_TIMEOUT', attempt: 2, timeoutMs: 100 },
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

  test('however many attempts time out in a row, the cause is what an attempt last said itself', async () => {
    const first = new Error('first');
    const task = ({ attempt }: { attempt: number }) => (attempt === 1 ? Promise.reject(first) : never());
    const outcome = watch(retry(task, { attempts: 50, attemptTimeoutMs: 10, backoff: constant(0) }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', attempt: 50, cause: first });
  });

  test('a timeout around a retry tells who waited for the outer one', async () => {
    async function outerCaller() {
      return await retry(({ signal }) => innerCaller(signal), { attempts: 1, attemptTimeoutMs: 10 });
    }
    async function innerCaller(signal: AbortSignal) {
      return await retry(never, { signal });
    }
    const outcome = watch(outerCaller());
    await vi.advanceTimersByTimeAsync(10);
    expect((outcome.reason as Error).stack).toContain('outerCaller');
    expect((outcome.reason as Error).stack).not.toContain('innerCaller');
  });

  test('an abort while shouldRetry deliberates ends it at once', async () => {
    const controller = new AbortController();
    const outcome = watch(retry(failing(), { shouldRetry: never, signal: controller.signal }));
    await drained();
    expect(outcome.state).toBe('pending');
    controller.abort('enough');
    await drained();
    expect(outcome.reason).toBe('enough');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test('totalTimeoutMs ends a shouldRetry that never answers, with the last error', async () => {
    const error = new Error('no');
    const outcome = watch(retry(failing(error), { shouldRetry: never, totalTimeoutMs: 50 }));
    await vi.advanceTimersByTimeAsync(50);
    expect(outcome.reason).toBe(error);
  });

  test('a pause that a busy event loop made longer than totalTimeoutMs is followed by no attempt', async () => {
    const error = new Error('no');
    const task = failing(error);
    const outcome = watch(retry(task, { totalTimeoutMs: 50, backoff: constant(10) }));
    await drained();
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 100);
    await vi.advanceTimersByTimeAsync(10);
    expect(outcome.reason).toBe(error);
    expect(task).toHaveBeenCalledOnce();
  });

  test('when totalTimeoutMs is over nobody is asked whether to retry', async () => {
    const shouldRetry = vi.fn(() => true);
    const outcome = watch(retry(never, { totalTimeoutMs: 50, shouldRetry }));
    await vi.advanceTimersByTimeAsync(50);
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    expect(shouldRetry).not.toHaveBeenCalled();
  });

  test('what is left of totalTimeoutMs is told in whole milliseconds', async () => {
    const task = ({ attempt }: { attempt: number }) => (attempt === 1 ? Promise.reject(attempt) : never());
    const outcome = watch(retry(task, { totalTimeoutMs: 50, backoff: constant(10) }));
    await drained();
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 10.4);
    await vi.advanceTimersByTimeAsync(10);
    now.mockRestore();
    await vi.advanceTimersByTimeAsync(40);
    expect(outcome.reason).toMatchObject({ message: 'attempt 2 did not end within 40 ms', timeoutMs: 40 });
  });

  test('a timer that fires a fraction early does not make room for one more attempt', async () => {
    const task = vi.fn(never);
    const outcome = watch(retry(task, { totalTimeoutMs: 50, backoff: constant(0) }));
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 49.3);
    await vi.advanceTimersByTimeAsync(50);
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', attempt: 1, timeoutMs: 50 });
    expect(task).toHaveBeenCalledOnce();
  });

  test.each([
    ['longer than what is left of totalTimeoutMs', 500],
    ['endless', Infinity],
  ])('a server that asks for a pause %s is not waited for', async (_title, retryAfterMs) => {
    const error = new Error('busy');
    const options = { totalTimeoutMs: 400, retryAfterMs: () => retryAfterMs };
    const outcome = watch(retry(failing(error), options));
    await drained();
    expect(outcome.reason).toBe(error);
  });

  test('onRetry is told the error, the attempt that failed and the pause, before each pause and not after the last attempt', async () => {
    const error = new Error('no');
    const onRetry = vi.fn();
    watch(retry(failing(error), { backoff: (attempt) => attempt * 10, onRetry }));
    await vi.advanceTimersByTimeAsync(100);
    expect(onRetry.mock.calls).toEqual([
      [{ error, attempt: 1, delayMs: 10 }],
      [{ error, attempt: 2, delayMs: 20 }],
    ]);
  });

  test('an abort from within onRetry is not followed by a pause', async () => {
    const controller = new AbortController();
    const onRetry = () => controller.abort('enough');
    const outcome = watch(retry(failing(), { onRetry, signal: controller.signal }));
    await drained();
    expect(outcome.reason).toBe('enough');
  });

  test('an abort in the very turn in which the pause ends is in time', async () => {
    const controller = new AbortController();
    const task = failing();
    const outcome = watch(retry(task, { backoff: constant(10), signal: controller.signal }));
    await drained();
    vi.advanceTimersByTime(10);
    controller.abort('enough');
    await drained();
    expect(outcome.reason).toBe('enough');
    expect(task).toHaveBeenCalledOnce();
  });

  test('Infinity attempts go on until one succeeds', async () => {
    const task = ({ attempt }: { attempt: number }) => {
      if (attempt < 1_000) throw new Error('again');
      return attempt;
    };
    const outcome = watch(retry(task, { attempts: Infinity, backoff: constant(1) }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outcome.value).toBe(1_000);
  });

  test('ERR_CLOSED is known by its code, whichever copy of the package made it', async () => {
    const error = { code: 'ERR_CLOSED' };
    const task = failing(error);
    await expect(retry(task)).rejects.toBe(error);
    expect(task).toHaveBeenCalledOnce();
  });

  test('each attempt has a signal of its own: one that timed out does not end the next', async () => {
    const signals: AbortSignal[] = [];
    const task = ({ attempt, signal }: { attempt: number; signal: AbortSignal }) => {
      signals.push(signal);
      return attempt === 1 ? never() : 'value';
    };
    const outcome = watch(retry(task, { attemptTimeoutMs: 10, backoff: constant(0) }));
    await vi.advanceTimersByTimeAsync(20);
    expect(outcome.value).toBe('value');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  test('an attempt that has ended does not hear of a later abort', async () => {
    const controller = new AbortController();
    const seen = await retry(({ signal }) => signal, { signal: controller.signal });
    controller.abort();
    expect(seen.aborted).toBe(false);
  });

  test('after an abort no hook is asked any more, whenever it comes while shouldRetry answers', async () => {
    for (let offset = 0; offset < 8; offset++) {
      const controller = new AbortController();
      const asked: string[] = [];
      const ask = (hook: string) => {
        if (controller.signal.aborted) asked.push(hook);
      };
      const outcome = watch(
        retry(failing(), {
          signal: controller.signal,
          shouldRetry: async () => {
            void microtasks(offset).then(() => controller.abort('enough'));
            return true;
          },
          retryAfterMs: () => void ask('retryAfterMs'),
          backoff: () => {
            ask('backoff');
            return 0;
          },
          onRetry: () => ask('onRetry'),
        }),
      );
      await drained();
      await vi.advanceTimersByTimeAsync(0);
      expect([offset, outcome.reason, asked]).toEqual([offset, 'enough', []]);
    }
  });

  test('an abort during an attempt asks no hook, either', async () => {
    const controller = new AbortController();
    const hooks = { shouldRetry: vi.fn(), retryAfterMs: vi.fn(), backoff: vi.fn(), onRetry: vi.fn() };
    const outcome = watch(retry(never, { signal: controller.signal, ...hooks }));
    controller.abort('enough');
    await drained();
    expect(outcome.reason).toBe('enough');
    for (const hook of Object.values(hooks)) expect(hook).not.toHaveBeenCalled();
  });

  test('what is thrown need not be an object', async () => {
    for (const thrown of [undefined, null, 'text', 5]) {
      const task = vi.fn(() => Promise.reject(thrown));
      const outcome = watch(retry(task, { attempts: 2, backoff: constant(0) }));
      await vi.advanceTimersByTimeAsync(0);
      expect([outcome.state, outcome.reason, task.mock.calls.length]).toEqual(['rejected', thrown, 2]);
    }
  });

  test('a timeout of the first attempt has no cause', async () => {
    const outcome = watch(retry(never, { attempts: 1, attemptTimeoutMs: 5 }));
    await vi.advanceTimersByTimeAsync(5);
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', attempt: 1, timeoutMs: 5 });
    expect(Object.hasOwn(outcome.reason as Error, 'cause')).toBe(false);
  });

  test('an attempt that only an abort can end needs no timer', async () => {
    const controller = new AbortController();
    const outcome = watch(retry(never, { signal: controller.signal }));
    expect(vi.getTimerCount()).toBe(0);
    controller.abort('enough');
    await drained();
    expect(outcome.reason).toBe('enough');
  });

  test('with the limiter inside, a pause holds no permit', async () => {
    const limiter = new Semaphore(1);
    const call = failing();
    watch(retry((context) => limiter.run(call, context), { backoff: constant(60_000), attempts: 2 }));
    await drained();
    expect(limiter.held).toBe(0);
    await expect(limiter.run(() => 'neighbour')).resolves.toBe('neighbour');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call).toHaveBeenCalledTimes(2);
  });

  test.each([
    ['retryAfterMs', { retryAfterMs: () => Number.NaN }],
    ['the backoff', { backoff: () => -1 }],
  ])('%s that gives no duration is refused by name', async (name, options) => {
    await expect(retry(failing(), options)).rejects.toThrow(`${name} must be at least 0 milliseconds`);
  });

  test('what a hook that decides throws ends the retry, which rejects with it', async () => {
    const bug = new Error('a bug in the hook');
    const hook = () => {
      throw bug;
    };
    await expect(retry(failing(), { shouldRetry: hook })).rejects.toBe(bug);
    await expect(retry(failing(), { retryAfterMs: hook })).rejects.toBe(bug);
    await expect(retry(failing(), { backoff: hook })).rejects.toBe(bug);
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
