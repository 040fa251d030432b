import { bulkhead, ExponentialBackoff, handleAll, retry } from 'cockatiel';
import type { Task } from '../harness/callers.js';
import type { Run } from './rival.js';

export function cockatielBulkhead(limit: number): Run {
  const policy = bulkhead(limit, Infinity);
  return (task) => policy.execute(task);
}

export function cockatielRetry(terms: {
  attempts: number;
  initialMs: number;
}): <T>(task: Task<T>) => Promise<T> {
  const backoff = new ExponentialBackoff({ initialDelay: terms.initialMs });
  const policy = retry(handleAll, { maxAttempts: terms.attempts - 1, backoff });
  return (task) => policy.execute(task);
}
