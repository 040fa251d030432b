import fc from 'fast-check';
import { ClosedError, constant, RetryBudget, type RetryOptions, retry } from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, watch } from '../support/lock-likes.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const failing = (error: unknown = new Error('no')) => vi.fn(() => Promise.reject(error));

describe('retry budget', () => {
  test('retries stay a share of the calls, over all callers that share the budget', async () => {
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

  test('RB2: rare calls have minPerSecond retries, saved for at most ten seconds', () => {
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

  test('RB3: a clock that steps back takes no tokens, and the time after it counts', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 1 });
    const time = vi.spyOn(performance, 'now').mockReturnValue(1_000_000);
    expect(budget.tryWithdraw()).toBe(true);
    time.mockReturnValue(5);
    const allowed = Array.from({ length: 12 }, () => budget.tryWithdraw()).filter(Boolean).length;
    expect(allowed).toBeGreaterThanOrEqual(9);
    time.mockReturnValue(1_005);
    expect([budget.tryWithdraw(), budget.tryWithdraw()]).toEqual([true, false]);
  });

  test('RB1: ten calls at a ratio of 0.1 allow exactly one retry', () => {
    const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 0 });
    for (let i = 0; i < 9; i++) budget.deposit();
    expect(budget.tryWithdraw()).toBe(false);
    budget.deposit();
    expect([budget.tryWithdraw(), budget.tryWithdraw()]).toEqual([true, false]);
  });

  test('RB2: an hour of successes does not fund a burst of retries', () => {
    const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 0 });
    for (let i = 0; i < 1_000_000; i++) budget.deposit();
    let spent = 0;
    while (budget.tryWithdraw()) spent++;
    expect(spent).toBe(10);
  });

  test('a retry that the budget refuses is neither announced nor waited for', async () => {
    const onRetry = vi.fn();
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0 });
    const outcome = watch(retry(failing(), { budget, onRetry, backoff: constant(60_000) }));
    await drained();
    expect(outcome.state).toBe('rejected');
    expect(onRetry).not.toHaveBeenCalled();
  });

  test('a retry that is not made for another reason takes no token', async () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.1 });
    const refusals: RetryOptions[] = [
      { attempts: 1 },
      { shouldRetry: () => false },
      { totalTimeoutMs: 10, backoff: constant(100) },
      { retryAfterMs: () => Infinity },
    ];
    for (const refusal of refusals) await retry(failing(), { ...refusal, budget }).catch(() => {});
    await retry(failing(new ClosedError('the pool')), { budget }).catch(() => {});
    expect(budget.tryWithdraw()).toBe(true);
  });

  test('a call with bad arguments, or with an aborted signal, deposits no token', async () => {
    const budget = new RetryBudget({ ratio: 1, minPerSecond: 0 });
    await retry(failing(), { budget, signal: AbortSignal.abort() }).catch(() => {});
    await retry(failing(), { budget, attempts: 0 }).catch(() => {});
    expect(budget.tryWithdraw()).toBe(false);
  });

  test('for any mix of calls, retries and time, retries never exceed the deposits', () => {
    const step = fc.oneof(
      fc.constant({ do: 'call' as const }),
      fc.constant({ do: 'retry' as const }),
      fc.integer({ min: 1, max: 5_000 }).map((ms) => ({ do: 'wait' as const, ms })),
    );
    const rate = fc.constantFrom(0, 0.1, 0.25, 1, 3);
    fc.assert(
      fc.property(rate, rate, fc.array(step, { maxLength: 200 }), (ratio, minPerSecond, steps) => {
        const budget = new RetryBudget({ ratio, minPerSecond });
        let deposited = minPerSecond * 10;
        let retries = 0;
        for (const next of steps) {
          if (next.do === 'call') {
            budget.deposit();
            deposited += ratio;
          } else if (next.do === 'wait') {
            vi.advanceTimersByTime(next.ms);
            deposited += (next.ms / 1_000) * minPerSecond;
          } else if (budget.tryWithdraw()) retries++;
          expect(retries).toBeLessThanOrEqual(deposited + 1e-6);
        }
      }),
    );
  });

  test('calls that succeed withdraw no token', async () => {
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

  test('a budget of a very small share still saves up for one retry', () => {
    const budget = new RetryBudget({ ratio: 0.001, minPerSecond: 0 });
    for (let call = 0; call < 1_000; call++) budget.deposit();
    expect([budget.tryWithdraw(), budget.tryWithdraw()]).toEqual([true, false]);
  });
});
