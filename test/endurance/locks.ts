import {
  AdaptiveSemaphore,
  AimdLimit,
  ElasticLimit,
  KeyedMutex,
  type Limiter,
  Mutex,
  Semaphore,
  VegasLimit,
  type WaitOptions,
} from '../../src/index.js';
import { type Callers, microtasks, quietly } from './callers.js';
import type { Kind, Subject } from './kind.js';

interface Lock extends Limiter {
  acquire(options?: WaitOptions): Promise<{ release(): void }>;
  tryAcquire(): { release(): void } | undefined;
}

/** The calls of every lock and semaphore. */
async function useLock(lock: Lock, callers: Callers): Promise<unknown> {
  const options = callers.options();
  switch (callers.random.below(4)) {
    case 0: {
      const permit = lock.tryAcquire();
      await microtasks(1);
      permit?.release();
      return permit?.release();
    }
    case 1: {
      const permit = await lock.acquire(options);
      await microtasks(callers.random.below(3));
      return permit.release();
    }
    default:
      return lock.run(callers.task, options);
  }
}

export const locks: readonly Kind[] = [
  {
    name: 'Mutex',
    make(callers) {
      const mutex = new Mutex();
      return {
        call: () => quietly(useLock(mutex, callers)),
        left: () => ({ locked: Number(mutex.locked), waiting: mutex.waiting }),
      };
    },
  },
  {
    name: 'KeyedMutex',
    make(callers) {
      const { random } = callers;
      const mutex = new KeyedMutex<unknown>();
      const use = async () => {
        const key = random.chance(0.7) ? random.below(20) : {};
        const lease = random.chance(0.3) ? mutex.tryAcquire(key) : undefined;
        lease?.release();
        if (random.chance(0.5)) return mutex.run(key, callers.task, callers.options());
        await using held = await mutex.acquire(key, callers.options());
        return held.signal.aborted || held.token;
      };
      return { call: () => quietly(use()), left: () => ({ keys: mutex.size }) };
    },
  },
  {
    name: 'KeyedMutex, several keys',
    make(callers) {
      const { random } = callers;
      const mutex = new KeyedMutex<unknown>();
      const use = async () => {
        const keys = Array.from({ length: 1 + random.below(4) }, () => random.below(30));
        if (random.chance(0.5)) return mutex.runAll(keys, callers.task, callers.options());
        using held = await mutex.acquireAll(keys, callers.options());
        await microtasks(random.below(3));
        return held.released;
      };
      return { call: () => quietly(use()), left: () => ({ keys: mutex.size }) };
    },
  },
  {
    name: 'Semaphore',
    make(callers) {
      const { random } = callers;
      const semaphore = new Semaphore(4, { maxWaiting: 400 });
      const use = async () => {
        // Never below the heaviest weight, or a caller that asked for that weight would wait for ever.
        if (random.chance(0.01)) semaphore.limit = 3 + random.below(5);
        if (random.chance(0.01)) return semaphore.idle();
        if (random.chance(0.5)) return useLock(semaphore, callers);
        return semaphore.run(callers.task, { ...callers.options(), weight: 1 + random.below(3) });
      };
      return {
        call: () => quietly(use()),
        left: () => ({ held: semaphore.held, waiting: semaphore.waiting }),
      };
    },
  },
  ...[ElasticLimit, VegasLimit, AimdLimit].map((Algorithm) => ({
    name: `AdaptiveSemaphore, ${Algorithm.name}`,
    make(callers: Callers): Subject {
      const semaphore = new AdaptiveSemaphore({ algorithm: new Algorithm({ max: 50 }), maxWaiting: 400 });
      const use = async () => {
        if (callers.random.chance(0.8)) return useLock(semaphore, callers);
        const permit = await semaphore.acquire(callers.options());
        await microtasks(1);
        return permit.release(callers.random.pick(['success', 'overload', 'ignore']));
      };
      return {
        call: () => quietly(use()),
        left: () => ({ held: semaphore.held, waiting: semaphore.waiting }),
      };
    },
  })),
];
