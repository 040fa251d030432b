/** Random users against a model of a few lines: who holds what, and who comes next. Failures shrink; seeds are printed. */
import fc from 'fast-check';
import { KeyedMutex, type Permit, Semaphore } from 'latchkey';
import { describe, test } from 'vitest';
import { drained } from './support/lock-likes.js';

interface Waiting {
  readonly id: number;
  readonly wants: readonly (string | number)[];
  readonly controller: AbortController;
}

/** What a lock must do: each grants in the order of arrival as soon as, and only when, the model says so. */
interface Model {
  /** Whether the waiter may go on, given who waits before him. */
  fits(waiting: Waiting, before: readonly Waiting[]): boolean;
  take(waiting: Waiting): void;
  give(waiting: Waiting): void;
}

interface Lock {
  acquire(wants: readonly (string | number)[], signal: AbortSignal): Promise<Permit>;
  setLimit?(limit: number): void;
  isFree(): boolean;
}

type Step =
  | { do: 'acquire'; wants: readonly (string | number)[] }
  | { do: 'release'; nth: number }
  | { do: 'abort'; nth: number }
  | { do: 'limit'; limit: number }
  | { do: 'drain' };

const stepOf = (wants: fc.Arbitrary<readonly (string | number)[]>): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 5, arbitrary: wants.map((items) => ({ do: 'acquire' as const, wants: items })) },
    { weight: 4, arbitrary: fc.nat(9).map((nth) => ({ do: 'release' as const, nth })) },
    { weight: 2, arbitrary: fc.nat(9).map((nth) => ({ do: 'abort' as const, nth })) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 3, max: 6 }).map((limit) => ({ do: 'limit' as const, limit })),
    },
    { weight: 2, arbitrary: fc.constant({ do: 'drain' as const }) },
  );

/** Walks lock and model side by side; the grants, and their order, must be the model's. */
async function walk(
  lock: Lock,
  model: Model,
  setLimit: (limit: number) => void,
  steps: readonly Step[],
): Promise<void> {
  let nextId = 0;
  let queue: Waiting[] = [];
  const held = new Map<number, Waiting>();
  const permits = new Map<number, Permit>();
  const granted: number[] = [];
  const expected: number[] = [];

  const serve = () => {
    for (let progress = true; progress; ) {
      const next = queue.findIndex((waiting, i) => model.fits(waiting, queue.slice(0, i)));
      progress = next !== -1;
      const [waiting] = progress ? queue.splice(next, 1) : [];
      if (waiting === undefined) break;
      model.take(waiting);
      held.set(waiting.id, waiting);
      expected.push(waiting.id);
    }
  };
  const release = (id: number) => {
    const waiting = held.get(id);
    const permit = permits.get(id);
    if (waiting === undefined || permit === undefined) return;
    held.delete(id);
    permits.delete(id);
    permit.release();
    permit.release();
    model.give(waiting);
    serve();
  };

  for (const step of steps) {
    if (step.do === 'acquire') {
      const waiting = { id: nextId++, wants: step.wants, controller: new AbortController() };
      queue.push(waiting);
      serve();
      lock.acquire(step.wants, waiting.controller.signal).then(
        (permit) => {
          granted.push(waiting.id);
          permits.set(waiting.id, permit);
        },
        () => {},
      );
    } else if (step.do === 'release') {
      const id = [...permits.keys()][step.nth];
      if (id !== undefined) release(id);
    } else if (step.do === 'abort') {
      const waiting = queue[step.nth];
      if (waiting === undefined) continue;
      queue = queue.filter((other) => other !== waiting);
      waiting.controller.abort();
      serve();
    } else if (step.do === 'limit') {
      setLimit(step.limit);
      lock.setLimit?.(step.limit);
      serve();
    } else await drained();
  }
  while (held.size > 0 || queue.length > 0) {
    await drained();
    const before = held.size + queue.length;
    for (const id of [...permits.keys()]) release(id);
    await drained();
    if (held.size + queue.length === before) throw new Error('the model expects a grant that never came');
  }
  // Grants made in one turn may be noticed in any order: the sets must agree at every turn, the order per key in all.
  const sorted = (ids: number[]) => [...ids].sort((a, b) => a - b).join();
  if (sorted(granted) !== sorted(expected)) throw new Error(`granted ${granted}, the model says ${expected}`);
  if (!lock.isFree()) throw new Error('something is still held');
}

describe('models', () => {
  test('a semaphore with weights and a changing limit does what its model does', async () => {
    const weights = fc.integer({ min: 1, max: 3 }).map((weight) => [weight]);
    await fc.assert(
      fc.asyncProperty(fc.array(stepOf(weights), { maxLength: 60 }), async (steps) => {
        const semaphore = new Semaphore(3);
        let limit = 3;
        let held = 0;
        const model: Model = {
          fits: ({ wants }, before) => before.length === 0 && held + Number(wants[0]) <= limit,
          take: ({ wants }) => {
            held += Number(wants[0]);
          },
          give: ({ wants }) => {
            held -= Number(wants[0]);
          },
        };
        const lock: Lock = {
          acquire: ([weight], signal) => semaphore.acquire({ weight: Number(weight), signal }),
          setLimit: (value) => {
            semaphore.limit = value;
          },
          isFree: () => semaphore.held === 0 && semaphore.waiting === 0,
        };
        await walk(
          lock,
          model,
          (value) => {
            limit = value;
          },
          steps,
        );
      }),
      { numRuns: 300 },
    );
  });

  test('a keyed mutex, with one key or several, does what its model does', async () => {
    const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(stepOf(keys), { maxLength: 60 }), async (steps) => {
        const mutex = new KeyedMutex<string | number>();
        const taken = new Set<string | number>();
        const model: Model = {
          // A key goes to whoever asked for it first, even if he still waits for another one.
          fits: ({ wants }, before) =>
            wants.every((key) => !taken.has(key) && !before.some((other) => other.wants.includes(key))),
          take: ({ wants }) => {
            for (const key of wants) taken.add(key);
          },
          give: ({ wants }) => {
            for (const key of wants) taken.delete(key);
          },
        };
        const lock: Lock = {
          acquire: (wants, signal) =>
            wants.length === 1
              ? mutex.acquire(wants[0] ?? '', { signal })
              : mutex.acquireAll(wants, { signal }),
          isFree: () => mutex.size === 0,
        };
        await walk(lock, model, () => {}, steps);
      }),
      { numRuns: 300 },
    );
  });
});
