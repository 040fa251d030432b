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

  test('R2: three attempts by default, and the last error untouched', async () => {
    const errors = [new Error('1'), { not: 'an error' }, new Error('3')];
    const task = vi.fn(({ attempt }: { attempt: number }) => Promise.reject(errors[attempt - 1]));
    const outcome = watch(retry(task));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outcome.reason).toBe(errors[2]);
    expect(task.mock.calls.map(([{ attempt }]) => attempt)).toEqual([1, 2, 3]);
  });

  test.each([
    ['pauses', failing(), {}],
    ['attempts that time out', vi.fn(never), { attemptTimeoutMs: 300 }],
  ])(
    'R3: fake timers that leave the clock alone end a retry after totalTimeoutMs of %s',
    async (_of, task, more) => {
      vi.useRealTimers();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const options = { attempts: 99, totalTimeoutMs: 900, backoff: constant(200), ...more };
      const outcome = watch(retry(task, options));
      for (let i = 0; i < 30; i++) await vi.advanceTimersByTimeAsync(100);
      expect(outcome).toHaveProperty('reason');
      expect(task.mock.calls.length).toBeLessThanOrEqual(5);
    },
  );

  test('R2: an error whose `code` cannot be read passes through untouched', async () => {
    const error = new Proxy({}, { get: () => expect.fail('the error was read') });
    const outcome = watch(retry(failing(error), { attempts: 2, backoff: constant(0) }));
    await vi.advanceTimersByTimeAsync(1);
    expect(outcome.reason).toBe(error);
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

  test('each pause comes from the backoff, which gets the attempt and the previous pause', async () => {
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

  test('R2, R4: an abort during the pause ends it at once, with signal.reason', async () => {
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

  test("an abort during an attempt aborts the attempt's signal, and does not wait for the task", async () => {
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

  test('R4: an abort during an attempt that never ends leaves neither its timer nor a listener', async () => {
    const controller = new AbortController();
    const outcome = watch(retry(never, { signal: controller.signal, attemptTimeoutMs: 60_000 }));
    expect(vi.getTimerCount()).toBe(1);
    controller.abort('enough');
    await drained();
    expect([outcome.reason, vi.getTimerCount()]).toEqual(['enough', 0]);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test.each(['attemptTimeoutMs', 'totalTimeoutMs'])(
    '%s: a fake clock may move right after the call',
    async (option) => {
      const outcome = watch(retry(never, { attempts: 1, [option]: 500 }));
      vi.advanceTimersByTime(500);
      await drained();
      expect(outcome).toMatchObject({ state: 'rejected', reason: { code: 'ERR_ATTEMPT_TIMEOUT' } });
    },
  );

  test('a signal that is aborted already calls nothing', async () => {
    const task = failing();
    await expect(retry(task, { signal: AbortSignal.abort('before') })).rejects.toBe('before');
    expect(task).not.toHaveBeenCalled();
  });

  test('R1: an attempt that takes too long is aborted, not waited for, and retried', async () => {
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

  test('R3: a pause that would not fit into totalTimeoutMs is not begun', async () => {
    const error = new Error('no');
    const outcome = watch(retry(failing(error), { totalTimeoutMs: 500, backoff: constant(500) }));
    await drained();
    expect(outcome.reason).toBe(error);
  });

  test('R3: an error of a closed object is not retried', async () => {
    const error = new ClosedError('the pool');
    const task = failing(error);
    await expect(retry(task)).rejects.toBe(error);
    expect(task).toHaveBeenCalledOnce();
  });

  test('shouldRetry decides, also asynchronously, from the error and the attempt', async () => {
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

  test('R7: the pause that the server asks for wins over the backoff, 0 included, plus up to a tenth', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
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
    expect(delays.map((delayMs) => Number(delayMs.toFixed(6)))).toEqual([73.5, 0, 5]);
  });

  test('after many timeouts in a row, the cause is the last error that was not a timeout', async () => {
    const first = new Error('first');
    const task = ({ attempt }: { attempt: number }) => (attempt === 1 ? Promise.reject(first) : never());
    const outcome = watch(retry(task, { attempts: 50, attemptTimeoutMs: 10, backoff: constant(0) }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', attempt: 50, cause: first });
  });

  test('the stack of a timeout names the caller of the outer retry', async () => {
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

  test('an abort while shouldRetry is pending ends the retry at once', async () => {
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

  test('after totalTimeoutMs shouldRetry is not asked', async () => {
    const shouldRetry = vi.fn(() => true);
    const outcome = watch(retry(never, { totalTimeoutMs: 50, shouldRetry }));
    await vi.advanceTimersByTimeAsync(50);
    expect(outcome.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    expect(shouldRetry).not.toHaveBeenCalled();
  });

  test('the timeout of the last attempt is in whole milliseconds', async () => {
    const task = ({ attempt }: { attempt: number }) => (attempt === 1 ? Promise.reject(attempt) : never());
    const outcome = watch(retry(task, { totalTimeoutMs: 50, backoff: constant(10) }));
    await drained();
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 10.4);
    await vi.advanceTimersByTimeAsync(10);
    now.mockRestore();
    await vi.advanceTimersByTimeAsync(40);
    expect(outcome.reason).toMatchObject({ message: 'attempt 2 did not end within 40 ms', timeoutMs: 40 });
  });

  test('a timer that fires a fraction early does not allow one more attempt', async () => {
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

  test.each([
    ['longer than a minute', {}, 60_001, 0],
    ['of exactly a minute', {}, 60_000, 1],
    ['longer than maxRetryAfterMs', { maxRetryAfterMs: 500 }, 501, 0],
    ['of 317 years', {}, 9_999_999_999_000, 0],
    ['that is endless', {}, Infinity, 0],
    ['that is endless, and allowed', { maxRetryAfterMs: Infinity }, Infinity, 0],
    ['of two minutes, and allowed', { maxRetryAfterMs: 120_000 }, 120_000, 1],
  ])(
    'R7: a server that asks for a pause %s: rethrown, or waited for in full',
    async (_, options, askedMs, pauses) => {
      const error = new Error('busy');
      const controller = new AbortController();
      const delays: number[] = [];
      const { signal } = controller;
      const onRetry = ({ delayMs }: { delayMs: number }) => delays.push(delayMs);
      const outcome = watch(
        retry(failing(error), { ...options, attempts: 2, signal, onRetry, retryAfterMs: () => askedMs }),
      );
      await drained();
      expect([delays.length, outcome.state]).toEqual([pauses, pauses === 0 ? 'rejected' : 'pending']);
      if (pauses === 0) expect(outcome.reason).toBe(error);
      else expect(delays[0]).toBeGreaterThanOrEqual(askedMs);
      controller.abort();
      await drained();
    },
  );

  test('R5: an AbortError is retried, unless the signal of the caller has aborted', async () => {
    const own = new DOMException('of the task', 'AbortError');
    const task = failing(own);
    const outcome = watch(retry(task, { backoff: constant(1), signal: new AbortController().signal }));
    await vi.advanceTimersByTimeAsync(10);
    expect([outcome.reason, task.mock.calls.length]).toEqual([own, 3]);
    const controller = new AbortController();
    const aborted = vi.fn(({ signal }: { signal: AbortSignal }) => {
      controller.abort();
      return Promise.reject(signal.reason);
    });
    await expect(retry(aborted, { signal: controller.signal })).rejects.toBe(controller.signal.reason);
    expect(aborted).toHaveBeenCalledOnce();
  });

  test.each([
    ['without options', {}],
    ['with a signal', { signal: new AbortController().signal }],
    ['with attemptTimeoutMs', { attemptTimeoutMs: 1_000 }],
    ['with totalTimeoutMs', { totalTimeoutMs: 1_000 }],
  ])("R6: %s, the stack of the task's error names the caller", async (_, options) => {
    async function nameOfTheCaller() {
      return await retry(
        async () => {
          await microtasks(2);
          throw new Error('of the task');
        },
        { ...options, attempts: 1 },
      );
    }
    const error = (await nameOfTheCaller().catch((reason: unknown) => reason)) as Error;
    expect(error.stack).toContain('nameOfTheCaller');
  });

  test('R4: a signal that refuses listeners leaves no timer, and rejects with its error', async () => {
    const refusal = new TypeError('functions only');
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener() {
        throw refusal;
      },
      removeEventListener() {},
    } as unknown as AbortSignal;
    await expect(retry(() => 1, { signal, backoff: constant(5) })).rejects.toBe(refusal);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('R1: the next attempt starts after the attempt before has ended', async () => {
    let running = 0;
    let most = 0;
    const task = async () => {
      most = Math.max(most, ++running);
      await microtasks(3);
      running--;
      throw new Error('again');
    };
    watch(retry(task, { attempts: 4, backoff: constant(1) }));
    await vi.advanceTimersByTimeAsync(10);
    expect([running, most]).toEqual([0, 1]);
  });

  test.each([
    ['retries', 10, 'unknown option "retries"; the options are attempts, backoff'],
    ['attempTimeoutMs', 50, 'did you mean attemptTimeoutMs?'],
  ])('the unknown option %s is refused by name', async (name, value, message) => {
    await expect(retry(() => 1, { [name]: value })).rejects.toThrow(message);
  });

  test('onRetry receives the error, the failed attempt and the pause, before each pause and not after the last attempt', async () => {
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

  test('R3: an abort in the turn in which the pause ends prevents the next attempt', async () => {
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

  test('ERR_CLOSED is recognized by its code, from any copy of the package', async () => {
    const error = { code: 'ERR_CLOSED' };
    const task = failing(error);
    await expect(retry(task)).rejects.toBe(error);
    expect(task).toHaveBeenCalledOnce();
  });

  test('each attempt has its own signal: one that timed out does not end the next', async () => {
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

  test('a later abort does not reach an attempt that has ended', async () => {
    const controller = new AbortController();
    const seen = await retry(({ signal }) => signal, { signal: controller.signal });
    controller.abort();
    expect(seen.aborted).toBe(false);
  });

  test('after an abort no hook is called, at any microtask while shouldRetry answers', async () => {
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

  test('an abort during an attempt calls no hook', async () => {
    const controller = new AbortController();
    const hooks = { shouldRetry: vi.fn(), retryAfterMs: vi.fn(), backoff: vi.fn(), onRetry: vi.fn() };
    const outcome = watch(retry(never, { signal: controller.signal, ...hooks }));
    controller.abort('enough');
    await drained();
    expect(outcome.reason).toBe('enough');
    for (const hook of Object.values(hooks)) expect(hook).not.toHaveBeenCalled();
  });

  test('a thrown value need not be an object', async () => {
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

  test.each([
    ["the attempt's timeout alone admits callers with no time left", Infinity, false],
    ['a bounded wait leaves every admitted call its time', 300, true],
  ])('with the limiter inside, at twice its load: %s', async (_title, waitTimeoutMs, isUseful) => {
    const limiter = new Semaphore(4);
    const served: boolean[] = [];
    const serve = async (signal: AbortSignal) => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      served.push(!signal.aborted);
    };
    for (let caller = 0; caller < 200; caller++) {
      watch(
        retry(({ signal }) => limiter.run(() => serve(signal), { signal, waitTimeoutMs }), {
          attempts: 2,
          attemptTimeoutMs: 400,
          backoff: constant(100),
        }),
      );
      await vi.advanceTimersByTimeAsync(5);
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(served.length).toBeGreaterThan(100);
    expect(served.every((useful) => useful)).toBe(isUseful);
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
  ])('the error names %s if it returns no duration', async (name, options) => {
    await expect(retry(failing(), options)).rejects.toThrow(`${name} must be at least 0 milliseconds`);
  });

  test('an error of shouldRetry, retryAfterMs or backoff ends the retry, which rejects with it', async () => {
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
