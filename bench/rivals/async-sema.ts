import { Sema } from 'async-sema';
import type { Takes } from '../harness/callers.js';

export function asyncSema(limit: number): Takes {
  const semaphore = new Sema(limit);
  return { take: () => semaphore.acquire(), giveBack: () => semaphore.release() };
}

/** A Map of them that forgets a key when nobody uses it, for which its users are counted. */
export function asyncSemaPerKey(): Takes<[number]> & { size(): number } {
  const semaphores = new Map<number, { readonly semaphore: Sema; users: number }>();
  return {
    take(key) {
      let counted = semaphores.get(key);
      if (counted === undefined) {
        counted = { semaphore: new Sema(1), users: 0 };
        semaphores.set(key, counted);
      }
      counted.users++;
      return counted.semaphore.acquire();
    },
    giveBack(_, key) {
      const counted = semaphores.get(key)!;
      counted.semaphore.release();
      if (--counted.users === 0) semaphores.delete(key);
    },
    size: () => semaphores.size,
  };
}
