import type { WaitOptions } from 'latchkey';
import * as latchkey from 'latchkey';
import { controlledDelay, fairShare } from 'latchkey/overload';

/** The interface that all locks have in common, with room for one holder. */
export interface LockLike {
  run<T>(task: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
  acquire(options?: WaitOptions): Promise<{ release(): unknown; readonly released?: boolean }>;
  /** How many callers wait now. */
  waiting(): number;
  /** Nothing is held and no caller waits. */
  free(): boolean;
  close?(): unknown;
}

export interface LockKind {
  name: string;
  make(): LockLike;
}

/** All locks, of the package as it is or of one that is wrong on purpose. */
export function lockLikesOf({
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  KeyedMutex,
  Mutex,
  Semaphore,
}: typeof latchkey): LockKind[] {
  return [
    {
      name: 'Mutex',
      make() {
        const mutex = new Mutex();
        return {
          run: (task, options) => mutex.run(task, options),
          acquire: (options) => mutex.acquire(options),
          waiting: () => mutex.waiting,
          free: () => !mutex.locked && mutex.waiting === 0,
        };
      },
    },
    ...[
      { name: 'Semaphore(1)', order: undefined },
      { name: 'Semaphore(1), controlledDelay', order: controlledDelay() },
      { name: 'Semaphore(1), fairShare', order: fairShare({ within: controlledDelay() }) },
    ].map(({ name, order }) => ({
      name,
      make() {
        const semaphore = new Semaphore(1, { order });
        return {
          run: (task, options) => semaphore.run(task, options),
          acquire: (options) => semaphore.acquire(options),
          waiting: () => semaphore.waiting,
          free: () => semaphore.held === 0 && semaphore.waiting === 0,
          close: () => semaphore.close(),
        } satisfies LockLike;
      },
    })),
    {
      name: 'KeyedMutex, one key',
      make() {
        const mutex = new KeyedMutex<string>();
        let waiting = 0;
        const counted = async <T>(settled: Promise<T>): Promise<T> => {
          waiting++;
          try {
            return await settled;
          } finally {
            waiting--;
          }
        };
        return {
          run: (task, options) => mutex.run('key', task, options),
          acquire: (options) =>
            mutex.isLocked('key') ? counted(mutex.acquire('key', options)) : mutex.acquire('key', options),
          waiting: () => waiting,
          free: () => mutex.size === 0,
        };
      },
    },
    {
      name: 'KeyedMutex, several keys',
      make() {
        const mutex = new KeyedMutex<number>();
        return {
          run: (task, options) => mutex.runAll([1, 2, 3], task, options),
          acquire: (options) => mutex.acquireAll([3, 1, 2], options),
          waiting: () => 0,
          free: () => mutex.size === 0,
        };
      },
    },
    {
      name: 'KeyedMutex, one key in common',
      make() {
        const mutex = new KeyedMutex<number>();
        let callers = 0;
        const keys = () => [0, ++callers];
        return {
          run: (task, options) => mutex.runAll(keys(), task, options),
          acquire: (options) => mutex.acquireAll(keys(), options),
          waiting: () => Math.max(0, mutex.size - 2),
          free: () => mutex.size === 0,
        };
      },
    },
    {
      name: 'AdaptiveSemaphore, min = max = 1',
      make() {
        const semaphore = new AdaptiveSemaphore({ algorithm: new AimdLimit({ min: 1, max: 1 }) });
        return {
          run: (task, options) => semaphore.run(task, options),
          acquire: (options) => semaphore.acquire(options),
          waiting: () => semaphore.waiting,
          free: () => semaphore.held === 0 && semaphore.waiting === 0,
          close: () => semaphore.close(),
        };
      },
    },
    {
      name: 'ConnectionPool, max 1',
      make() {
        const pool = new ConnectionPool<object>(
          { connect: () => ({}), close() {}, isReusable: () => true },
          { max: 1, waitTimeoutMs: Infinity, idleTimeoutMs: Infinity, maxLifetimeMs: Infinity },
        );
        return {
          run: (task, options) => pool.use(undefined, task, options),
          acquire: (options) => pool.acquire(options),
          waiting: () => pool.stats().waiting,
          free: () => pool.stats().leased === 0 && pool.stats().waiting === 0,
          close: () => pool.close(),
        };
      },
    },
  ];
}

/** Each claim of the conformance list and each sweep covers all of them. */
export const lockLikes = lockLikesOf(latchkey);

/** Lets `count` microtasks pass. */
export async function microtasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

/** Lets every microtask pass that is due. */
export function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface Outcome<T> {
  state: 'pending' | 'fulfilled' | 'rejected';
  value?: T;
  reason?: unknown;
  /** How often it settled: anything except 0 and 1 is a bug of the test. */
  times: number;
}

/** Watches a promise without waiting for it. */
export function watch<T>(promise: Promise<T>): Outcome<T> {
  const outcome: Outcome<T> = { state: 'pending', times: 0 };
  promise.then(
    (value) => Object.assign(outcome, { state: 'fulfilled', value, times: outcome.times + 1 }),
    (reason) => Object.assign(outcome, { state: 'rejected', reason, times: outcome.times + 1 }),
  );
  return outcome;
}
