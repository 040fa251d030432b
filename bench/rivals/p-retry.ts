import pRetry from 'p-retry';
import type { Task } from '../harness/callers.js';

export function pRetryRun(terms: { attempts: number; initialMs: number }): <T>(task: Task<T>) => Promise<T> {
  const options = { retries: terms.attempts - 1, minTimeout: terms.initialMs };
  return (task) => pRetry(task, options);
}
