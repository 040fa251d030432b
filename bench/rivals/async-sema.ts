import { Sema } from 'async-sema';
import type { Runs, Takes } from '../harness/callers.js';

export function asyncSema(limit: number): Takes {
  const semaphore = new Sema(limit);
  return { take: () => semaphore.acquire(), giveBack: () => semaphore.release() };
}

/** Inside the function that a service writes around it, so that nobody forgets the release. */
export function asyncSemaRun(limit: number): Runs {
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

/** With what it lacks beside a permit: an object that releases once. */
export function asyncSemaHandles(limit: number): Takes<[], ReleasedOnce> {
  const semaphore = new Sema(limit);
  const makeHandle = () => new ReleasedOnce(semaphore);
  return { take: () => semaphore.acquire().then(makeHandle), giveBack: (handle) => handle.release() };
}

class ReleasedOnce {
  #semaphore: Sema | undefined;

  constructor(semaphore: Sema) {
    this.#semaphore = semaphore;
  }

  release(): void {
    this.#semaphore?.release();
    this.#semaphore = undefined;
  }
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

/** The same inside a function that nobody can leave without the release. */
export function asyncSemaPerKeyRun(): Runs<[number]> & { size(): number } {
  const { take, giveBack, size } = asyncSemaPerKey();
  const run: Runs<[number]> = async (key, task) => {
    const held = await take(key);
    try {
      return await task();
    } finally {
      giveBack(held, key);
    }
  };
  return Object.assign(run, { size });
}
