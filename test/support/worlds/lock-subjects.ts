/** Locks, each beside a model of a few lines: a caller is granted when, and only when, the model says so. */
import type { Permit, WaitOptions } from 'latchkey';
import { controlledDelay, fairShare, type WaitOrder } from 'latchkey/overload';
import { vi } from 'vitest';
import type * as everything from '../everything.js';
import type { LockLike } from '../lock-likes.js';

/** A weight, or keys. */
export type Wants = readonly (string | number)[];

export interface Waiting {
  readonly id: number;
  readonly wants: Wants;
}

/** What a lock must do. */
export interface Model {
  /** The reason why such a caller is refused, when it asks or when the limit changes. */
  refuses?(waiting: Waiting): string | undefined;
  /** Whether the waiter may go on, given the waiters that came before it, and after it. */
  fits(waiting: Waiting, before: readonly Waiting[], after: readonly Waiting[]): boolean;
  take(waiting: Waiting): void;
  give(waiting: Waiting): void;
  setLimit?(limit: number): void;
  close?(): void;
}

export interface Lock {
  acquire(wants: Wants, options: WaitOptions): Promise<Permit>;
  isFree(): boolean;
  setLimit?(limit: number): void;
  close?(): void;
}

export interface LockSubject {
  readonly name: string;
  model(): Model;
  lock(from: typeof everything): Lock;
}

/** A key goes to the caller that asked for it first, even if that caller still waits for another key. */
export function keysModel(): Model {
  const taken = new Set<string | number>();
  return {
    fits: ({ wants }, before) =>
      wants.every((key) => !taken.has(key) && !before.some((other) => other.wants.includes(key))),
    take: ({ wants }) => {
      for (const key of wants) taken.add(key);
    },
    give: ({ wants }) => {
      for (const key of wants) taken.delete(key);
    },
  };
}

/** Only the oldest waiter may go on, and only if its weight fits. A weight above the limit is refused, but not at 0. */
export function unitsModel(limit: number): Model {
  let held = 0;
  let closed = false;
  return {
    refuses: ({ wants }) =>
      closed ? 'ERR_CLOSED' : limit > 0 && Number(wants[0]) > limit ? 'RangeError' : undefined,
    fits: ({ wants }, before) => before.length === 0 && held + Number(wants[0]) <= limit,
    take: ({ wants }) => {
      held += Number(wants[0]);
    },
    give: ({ wants }) => {
      held -= Number(wants[0]);
    },
    setLimit: (value) => {
      limit = value;
    },
    close: () => {
      closed = true;
    },
  };
}

/** Only the newest waiter may go on. */
function newestModel(limit: number): Model {
  const units = unitsModel(limit);
  return { ...units, fits: (waiting, _before, after) => units.fits(waiting, after, []) };
}

/** The partition goes on that has waited longest since its last grant, or since its first waiter came. */
function turnsModel(limit: number): Model {
  const units = unitsModel(limit);
  const since = new Map<string | number | undefined, number>();
  let steps = 0;
  return {
    ...units,
    fits: (waiting, before, after) => {
      const partitions = new Set([...before, waiting, ...after].map(({ wants }) => wants[1]));
      for (const partition of since.keys()) if (!partitions.has(partition)) since.delete(partition);
      for (const partition of partitions) if (!since.has(partition)) since.set(partition, steps++);
      const [next] = [...partitions].sort((a, b) => since.get(a)! - since.get(b)!);
      const itsOlder = before.filter(({ wants }) => wants[1] === next);
      return waiting.wants[1] === next && units.fits(waiting, itsOlder, []);
    },
    take: (waiting) => {
      units.take(waiting);
      since.set(waiting.wants[1], steps++);
    },
  };
}

/** Every third permit is ignored, so the limit stays as it is. */
const teaches = ({ id }: Waiting) => id % 3 !== 2;

/** As units; the limit follows the algorithm when a permit comes back. */
function adaptiveModel(limit: number): Model {
  const units = unitsModel(limit);
  return {
    ...units,
    give: (waiting) => {
      if (teaches(waiting)) units.setLimit?.(limit);
      units.give(waiting);
    },
    setLimit: (value) => {
      limit = value;
    },
  };
}

export const mutex: LockSubject = {
  name: 'Mutex',
  model: keysModel,
  lock({ Mutex }) {
    const lock = new Mutex();
    return {
      acquire: (_wants, options) => lock.acquire(options),
      isFree: () => !lock.locked && lock.waiting === 0,
    };
  },
};

export const keyedMutex: LockSubject = {
  name: 'KeyedMutex',
  model: keysModel,
  lock({ KeyedMutex }) {
    const lock = new KeyedMutex<string | number>();
    return {
      acquire: (keys, options) =>
        keys.length === 1 ? lock.acquire(keys[0]!, options) : lock.acquireAll(keys, options),
      isFree: () => lock.size === 0,
    };
  },
};

const semaphoreOf = (
  name: string,
  order?: WaitOrder,
  { model = unitsModel, beforeServing = () => {} } = {},
): LockSubject => ({
  name,
  model: () => model(2),
  lock({ Semaphore }) {
    const lock = new Semaphore(2, { order });
    return {
      async acquire([weight, partition], options) {
        const permit = await lock.acquire({ weight: Number(weight), partition, ...options });
        const release = () => {
          beforeServing();
          permit.release();
        };
        return { release } as Permit;
      },
      isFree: () => lock.held === 0 && lock.waiting === 0,
      setLimit: (limit) => {
        beforeServing();
        lock.limit = limit;
      },
      close: () => lock.close(),
    };
  },
});

export const semaphore = semaphoreOf('Semaphore');
/** In a queue that is not overloaded, and with one partition, these orders are first come, first served. */
export const controlledSemaphore = semaphoreOf(
  'Semaphore, controlledDelay',
  controlledDelay({ intervalMs: Infinity }),
);
export const sharedSemaphore = semaphoreOf('Semaphore, fairShare', fairShare());
/** A queue that has stood for a moment counts as overloaded. */
export const newestFirstSemaphore = semaphoreOf(
  'Semaphore, controlledDelay under overload',
  controlledDelay({ targetMs: Infinity, intervalMs: 0 }),
  { model: newestModel, beforeServing: () => void vi.advanceTimersByTime(1) },
);
export const partitionedSemaphore = semaphoreOf('Semaphore, fairShare of partitions', fairShare(), {
  model: turnsModel,
});

export const adaptiveSemaphore = (limit: number): LockSubject => ({
  name: 'AdaptiveSemaphore',
  model: () => adaptiveModel(limit),
  lock({ AdaptiveSemaphore }) {
    const algorithm = { limit, onSample() {} };
    const lock = new AdaptiveSemaphore({ algorithm });
    let callers = 0;
    return {
      async acquire(_wants, options) {
        const id = callers++;
        const permit = await lock.acquire(options);
        return { release: () => permit.release(teaches({ id, wants: [] }) ? 'success' : 'ignore') } as Permit;
      },
      isFree: () => lock.held === 0 && lock.waiting === 0,
      setLimit: (to) => {
        algorithm.limit = to;
      },
      close: () => lock.close(),
    };
  },
});

/** A pool whose dials and closes take no time behaves as a semaphore, however its connections come back. */
export const instantPool: LockSubject = {
  name: 'ConnectionPool',
  model: () => unitsModel(1),
  lock({ ConnectionPool }) {
    const pool = new ConnectionPool<object>(
      { connect: () => ({}), close() {} },
      { max: 1, waitTimeoutMs: Infinity, idleTimeoutMs: Infinity, maxLifetimeMs: Infinity },
    );
    let callers = 0;
    return {
      async acquire(_wants, options) {
        const isDestroyed = callers++ % 2 === 1;
        const lease = await pool.acquire(undefined, options);
        return { release: () => (isDestroyed ? lease.destroy() : lease.release()) } as Permit;
      },
      isFree: () => pool.stats().leased === 0 && pool.stats().waiting === 0,
      close: () => void pool.close({ graceMs: Infinity }),
    };
  },
};

/** A lock for one holder, of any kind. A second release does not reach it. */
export function oneHolder(name: string, make: () => LockLike): LockSubject {
  return {
    name,
    model: keysModel,
    lock() {
      const lock = make();
      return {
        async acquire(_wants, options) {
          const permit = await lock.acquire(options);
          let isReleased = false;
          const release = () => {
            if (!isReleased) permit.release();
            isReleased = true;
          };
          return { release } as Permit;
        },
        isFree: () => lock.free(),
      };
    },
  };
}
