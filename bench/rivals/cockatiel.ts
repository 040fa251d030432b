import { bulkhead, ExponentialBackoff, handleAll, retry, TimeoutStrategy, timeout, wrap } from 'cockatiel';
import type { Task } from '../harness/callers.js';
import type { Run } from './rival.js';

export function cockatielBulkhead(limit: number): Run {
  const policy = bulkhead(limit, Infinity);
  return (task) => policy.execute(task);
}

export function cockatielRetry(terms: {
  attempts: number;
  initialMs: number;
  attemptTimeoutMs?: number;
}): <T>(task: Task<T>) => Promise<T> {
  const backoff = new ExponentialBackoff({ initialDelay: terms.initialMs });
  const retries = retry(handleAll, { maxAttempts: terms.attempts - 1, backoff });
  const { attemptTimeoutMs } = terms;
  const policy =
    attemptTimeoutMs === undefined
      ? retries
      : wrap(retries, timeout(attemptTimeoutMs, TimeoutStrategy.Aggressive));
  return (task) => policy.execute(task);
}
