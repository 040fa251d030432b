/**
 * Random users against a model of a few lines: who is granted, who gave up, who comes next. Failures shrink and print
 * their seed. And the tests of the test: packages with one line changed, which the models must find out.
 */
import fc from 'fast-check';
import type { Permit, WaitOptions } from 'latchkey';
import * as latchkey from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained } from './support/lock-likes.js';
import { type Mutant, mutated } from './support/mutated.js';

/** A weight, or keys. */
type Wants = readonly (string | number)[];

interface Waiting {
  readonly id: number;
  readonly wants: Wants;
  readonly controller: AbortController;
  readonly deadlineMs: number;
}

/** What a lock must do: each is granted as soon as, and only when, the model says so. */
interface Model {
  /** Why such a caller is refused at once, if he is. */
  refuses?(waiting: Waiting): string | undefined;
  /** Whether the waiter may go on, given who waits before him. */
  fits(waiting: Waiting, before: readonly Waiting[]): boolean;
  take(waiting: Waiting): void;
  give(waiting: Waiting): void;
  setLimit?(limit: number): void;
  close?(): void;
}

interface Lock {
  acquire(wants: Wants, options: WaitOptions): Promise<Permit>;
  isFree(): boolean;
  setLimit?(limit: number): void;
  close?(): void;
}

type Step =
  | { do: 'acquire'; wants: Wants; patienceMs: number }
  | { do: 'release'; nth: number }
  | { do: 'abort'; nth: number }
  | { do: 'pass'; ms: number }
  | { do: 'limit'; limit: number }
  | { do: 'close' }
  | { do: 'drain' };

const largestLimit = 6;

const stepsOf = (wants: fc.Arbitrary<Wants>): fc.Arbitrary<Step[]> => {
  const patienceMs = fc.constantFrom(Infinity, Infinity, 6, 20);
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ do: fc.constant('acquire' as const), wants, patienceMs }) },
    { weight: 16, arbitrary: fc.nat(9).map((nth) => ({ do: 'release' as const, nth })) },
    { weight: 6, arbitrary: fc.nat(9).map((nth) => ({ do: 'abort' as const, nth })) },
    { weight: 8, arbitrary: fc.constantFrom(2, 4, 20).map((ms) => ({ do: 'pass' as const, ms })) },
    {
      weight: 4,
      arbitrary: fc.integer({ min: 1, max: largestLimit }).map((limit) => ({ do: 'limit' as const, limit })),
    },
    { weight: 1, arbitrary: fc.constant({ do: 'close' as const }) },
    { weight: 16, arbitrary: fc.constant({ do: 'drain' as const }) },
  );
  // Without a size, fast-check makes ten steps of it: too few for a queue to form.
  return fc.array(step, { maxLength: 60, size: 'max' });
};

const outcomeOf = (reason: unknown): string =>
  reason instanceof Error ? ((reason as { code?: string }).code ?? reason.name) : String(reason);

/** Walks lock and model side by side: they must agree on every caller, whenever the microtasks have drained. */
async function walk(lock: Lock, model: Model, steps: readonly Step[]): Promise<void> {
  let nowMs = 0;
  let queue: Waiting[] = [];
  const held = new Map<number, Waiting>();
  const permits = new Map<number, Permit>();
  const expected: string[] = [];
  const observed: string[] = [];
  const deadlines = new Set<number>();

  const serve = () => {
    const next = queue.findIndex((waiting, i) => model.fits(waiting, queue.slice(0, i)));
    const [waiting] = next === -1 ? [] : queue.splice(next, 1);
    if (waiting === undefined) return;
    model.take(waiting);
    held.set(waiting.id, waiting);
    expected[waiting.id] = 'granted';
    serve();
  };
  const leave = (leaver: Waiting, why: string) => {
    queue = queue.filter((waiting) => waiting !== leaver);
    expected[leaver.id] = why;
    serve();
  };
  const agree = async () => {
    await drained();
    expect(observed).toEqual(expected);
  };
  const acquire = (wants: Wants, patienceMs: number) => {
    // Deadlines that fall together may end in either order: the model knows of none.
    let deadlineMs = nowMs + patienceMs;
    while (deadlines.has(deadlineMs)) deadlineMs += 2;
    if (deadlineMs !== Infinity) deadlines.add(deadlineMs);
    const waiting = { id: expected.length, wants, controller: new AbortController(), deadlineMs };
    const { id, controller } = waiting;
    expected[id] = model.refuses?.(waiting) ?? 'waiting';
    observed[id] = 'waiting';
    if (expected[id] === 'waiting') queue.push(waiting);
    serve();
    lock.acquire(wants, { signal: controller.signal, waitTimeoutMs: deadlineMs - nowMs }).then(
      (permit) => {
        observed[id] = 'granted';
        permits.set(id, permit);
      },
      (reason: unknown) => {
        observed[id] = outcomeOf(reason);
      },
    );
  };
  const release = (id: number | undefined) => {
    const waiting = held.get(id ?? -1);
    if (waiting === undefined) return;
    const permit = permits.get(waiting.id);
    held.delete(waiting.id);
    permits.delete(waiting.id);
    permit?.release();
    permit?.release();
    model.give(waiting);
    serve();
  };
  const pass = (ms: number) => {
    vi.advanceTimersByTime(ms);
    const untilMs = nowMs + ms;
    for (;;) {
      const first = [...queue].sort((a, b) => a.deadlineMs - b.deadlineMs)[0];
      if (first === undefined || first.deadlineMs > untilMs) break;
      leave(first, 'ERR_WAIT_TIMEOUT');
    }
    nowMs = untilMs;
  };
  const setLimit = (limit: number) => {
    model.setLimit?.(limit);
    lock.setLimit?.(limit);
    serve();
  };

  for (const step of steps) {
    if (step.do === 'acquire') acquire(step.wants, step.patienceMs);
    else if (step.do === 'release') release([...permits.keys()][step.nth]);
    else if (step.do === 'pass') pass(step.ms);
    else if (step.do === 'limit') setLimit(step.limit);
    else if (step.do === 'drain') await agree();
    else if (step.do === 'abort') {
      const waiting = queue[step.nth];
      waiting?.controller.abort('aborted');
      if (waiting !== undefined) leave(waiting, 'aborted');
    } else if (lock.close !== undefined) {
      lock.close();
      model.close?.();
      for (const waiting of queue) expected[waiting.id] = 'ERR_CLOSED';
      queue = [];
    }
  }
  await agree();
  setLimit(largestLimit);
  await agree();
  while (held.size > 0) {
    for (const id of [...permits.keys()]) release(id);
    await agree();
  }
  expect([queue.length, lock.isFree(), vi.getTimerCount()]).toEqual([0, true, 0]);
}

/** A key goes to whoever asked for it first, even if he still waits for another one. */
function keysModel(): Model {
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

/** Only the oldest waiter may go on, and only if his weight fits. */
function unitsModel(limit: number): Model {
  let held = 0;
  let closed = false;
  return {
    refuses: ({ wants }) => (closed ? 'ERR_CLOSED' : Number(wants[0]) > limit ? 'RangeError' : undefined),
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

interface Subject {
  readonly name: string;
  readonly wants: fc.Arbitrary<Wants>;
  model(): Model;
  lock(from: typeof latchkey): Lock;
}

const subjects: Subject[] = [
  {
    name: 'a mutex',
    wants: fc.constant(['it']),
    model: keysModel,
    lock({ Mutex }) {
      const mutex = new Mutex();
      return { acquire: (_wants, options) => mutex.acquire(options), isFree: () => !mutex.locked };
    },
  },
  {
    name: 'a keyed mutex, with one key or several',
    wants: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 }),
    model: keysModel,
    lock({ KeyedMutex }) {
      const mutex = new KeyedMutex<string | number>();
      return {
        acquire: (keys, options) =>
          keys.length === 1 ? mutex.acquire(keys[0]!, options) : mutex.acquireAll(keys, options),
        isFree: () => mutex.size === 0,
      };
    },
  },
  {
    name: 'a semaphore, with weights and a changing limit',
    wants: fc.integer({ min: 1, max: 3 }).map((weight) => [weight]),
    model: () => unitsModel(3),
    lock({ Semaphore }) {
      const semaphore = new Semaphore(3);
      return {
        acquire: ([weight], options) => semaphore.acquire({ weight: Number(weight), ...options }),
        isFree: () => semaphore.held === 0 && semaphore.waiting === 0,
        setLimit: (limit) => {
          semaphore.limit = limit;
        },
        close: () => semaphore.close(),
      };
    },
  },
];

function check(
  { wants, model, lock }: Subject,
  from: typeof latchkey,
  options: { seed?: number; endOnFailure?: boolean } = {},
): Promise<void> {
  return fc.assert(
    fc.asyncProperty(stepsOf(wants), (steps) => walk(lock(from), model(), steps)),
    { numRuns: 300, ...options },
  );
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('models', () => {
  test.each(subjects)('$name does what its model does', async (subject) => {
    await check(subject, latchkey);
  });
});

const semaphore = 'semaphore.ts';
const keyed = 'keyed-mutex.ts';
const mutants: Mutant[] = [
  {
    name: 'lets light newcomers overtake a heavy waiter',
    file: semaphore,
    from: 'if (this.queue.size > 0 || ',
    to: 'if (',
  },
  {
    name: 'does not look who fits when a heavy waiter has left',
    file: semaphore,
    from: 'onLeave(): void {\n    this.serve();',
    to: 'onLeave(): void {',
  },
  {
    name: 'does not look who fits when the limit was raised',
    file: semaphore,
    from: 'this.#state.limit = limit;\n    this.#state.serve();',
    to: 'this.#state.limit = limit;',
  },
  {
    name: 'takes a heavy waiter for a light one',
    file: semaphore,
    from: 'this.held += head.demand;',
    to: 'this.held += 1;',
  },
  {
    name: 'grants one waiter per release',
    file: semaphore,
    from: 'this.queue.grant(new SemaphorePermit(this, head.demand));',
    to: 'this.queue.grant(new SemaphorePermit(this, head.demand));\n      return;',
  },
  {
    name: 'leaves waiters waiting when it is closed',
    file: semaphore,
    from: "this.queue.refuseAll(() => new ClosedError('the semaphore'));",
    to: '',
  },
  {
    name: 'believes a second release',
    file: semaphore,
    from: 'this.#state = undefined;\n    state?.give(this.#weight);',
    to: 'state?.give(this.#weight);',
  },
  {
    name: 'keeps the keys of a caller who has given up the others',
    file: keyed,
    from: 'for (const lease of this.#leases) lease.release();\n  }\n\n  describe',
    to: '}\n\n  describe',
  },
  {
    name: 'keeps the places of a caller who has given up',
    file: keyed,
    from: 'for (const place of this.#places) place.leave();',
    to: '',
  },
  {
    name: 'expires everybody with the first',
    file: 'deadlines.ts',
    from: 'if (waitedMs < this.#durationMs - 1) {',
    to: 'if (false) {',
  },
];

describe('the models find out a package that', () => {
  test.each(mutants)('$name', async (mutant) => {
    const wrong = await mutated(mutant);
    let foundOut = false;
    // One after the other: they share the time.
    for (const subject of subjects.toReversed()) {
      vi.clearAllTimers();
      foundOut ||= await check(subject, wrong, { seed: 1, endOnFailure: true }).then(
        () => false,
        () => true,
      );
    }
    expect(foundOut).toBe(true);
  });
});
