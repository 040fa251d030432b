import { Sema } from 'async-sema';
import type { Run } from './rival.js';

/** It has no `run`: this is how its readme writes one. */
export function asyncSema(limit: number): Run {
  const semaphore = new Sema(limit);
  return async (task) => {
    await semaphore.acquire();
    try {
      return await task();
    } finally {
      semaphore.release();
    }
  };
}
