/**
 * "One call in fifty takes half a second, and a page makes thirty of them: every other page is slow."
 *
 * A call that takes longer than 95 % do is asked a second time, and the first answer counts. Second calls are paid from a
 * budget, so a backend that is slow for everybody gets a tenth more, not twice as much.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RetryBudget } from 'latchkey';

export interface HedgingOptions {
  budget?: RetryBudget;
  /** The 95th percentile to begin with. */
  p95Ms?: number;
}

/** One of these per backend and kind of call. `call` must be safe to run twice. */
export function hedging({ budget = new RetryBudget(), p95Ms = 100 }: HedgingOptions = {}) {
  let meanMs = p95Ms;
  /** Calls above and below the estimate balance when 5 % are above. */
  const learn = (durationMs: number) => {
    meanMs += 0.05 * (durationMs - meanMs);
    p95Ms += 0.05 * meanMs * (durationMs > p95Ms ? 0.95 : -0.05);
  };
  return async <T>(call: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    budget.deposit();
    const end = new AbortController();
    const either = signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]);
    const startedMs = performance.now();
    const first = call(either);
    const inTime = first.then(
      () => true,
      () => true,
    );
    try {
      const isInTime = await Promise.race([inTime, sleep(p95Ms, false, { signal: either })]);
      const isAskedTwice = !isInTime && budget.tryWithdraw();
      const answer = await (isAskedTwice ? Promise.any([first, call(either)]) : first);
      // A first call that was overtaken took longer than the estimate, too.
      learn(performance.now() - startedMs);
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof AggregateError ? error.errors[0] : error;
    } finally {
      // Stops the timer, and the call that came second.
      end.abort();
    }
  };
}
