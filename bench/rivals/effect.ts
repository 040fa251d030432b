import { Effect, Semaphore } from 'effect';
import type { Use } from '../harness/callers.js';

export function effectSemaphore(limit: number): Use {
  const semaphore = Semaphore.makeUnsafe(limit);
  return (task) => Effect.runPromise(semaphore.withPermits(1)(Effect.promise(task)));
}
