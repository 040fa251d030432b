import AsyncLock from 'async-lock';
import type { Run, RunKeyed } from './rival.js';

export function asyncLock(): Run {
  const lock = new AsyncLock({ maxPending: Infinity });
  return (task) => lock.acquire('key', task);
}

export function asyncLockKeyed(): RunKeyed & { size(): number } {
  const lock = new AsyncLock({ maxPending: Infinity });
  const run: RunKeyed = (key, task) => lock.acquire(String(key), task);
  // Not public, and the only place where it shows what it remembers.
  const { queues } = lock as unknown as { queues: object };
  return Object.assign(run, { size: () => Object.keys(queues).length });
}
