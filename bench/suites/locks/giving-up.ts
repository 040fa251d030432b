/** Waiters that give up: time per waiter and listeners, whatever the number of waiters. */
import { getEventListeners, setMaxListeners } from 'node:events';
import { Semaphore } from 'latchkey';
import PQueue from 'p-queue';
import { rejectAll, rejectEach } from '../../harness/floors.js';
import { shuffled } from '../../harness/statistics.js';
import { prepared } from '../../harness/stopwatch.js';
import type { Case, Counts, Role } from '../../harness/subjects.js';
import { atMost, countAtMost } from '../../harness/targets.js';
import { ArrayQueueSemaphore } from '../../naive/array-queue.js';

/** A caller per signal waits for something that is held; each has its own promise. */
type Wait = (signals: readonly AbortSignal[]) => Promise<unknown>[];

export interface GivingUp {
  readonly name: string;
  readonly role: Role;
  readonly wait: Wait;
}

const latchkey: GivingUp = {
  name: 'latchkey',
  role: 'latchkey',
  wait(signals) {
    const semaphore = new Semaphore(1);
    semaphore.tryAcquire();
    return signals.map((signal) => semaphore.acquire({ signal }));
  },
};

const arrayQueue: GivingUp = {
  name: 'array queue',
  role: 'naive',
  wait(signals) {
    const semaphore = new ArrayQueueSemaphore(1);
    void semaphore.acquire();
    return signals.map((signal) => semaphore.acquire(signal));
  },
};

const pQueue: GivingUp = {
  name: 'p-queue',
  role: 'peer',
  wait(signals) {
    const queue = new PQueue({ concurrency: 1 });
    void queue.add(() => new Promise(() => {}));
    return signals.map((signal) => queue.add(() => undefined, { signal }));
  },
};

export const withOneSignal: readonly GivingUp[] = [
  { name: 'one listener, n rejections', role: 'floor', wait: rejectAll },
  latchkey,
  arrayQueue,
  pQueue,
];

export const withOwnSignals: readonly GivingUp[] = [
  { name: 'a listener each, no queue', role: 'floor', wait: rejectEach },
  latchkey,
  arrayQueue,
  pQueue,
];

/** Above 10,000 waiters, without the quadratic packages, which take minutes. */
const quadratic: readonly GivingUp[] = [arrayQueue, pQueue];

export function sharedSignal(size: number): Case {
  return {
    title: `Semaphore: ${size.toLocaleString('en-US')} waiters aborted through one signal`,
    shows:
      'Giving up must not search the queue: the time per waiter must not depend on the number of waiters.',
    ...effort(size),
    subjects: feasible(withOneSignal, size).map(({ name, role, wait }) => {
      const targets = role === 'latchkey' ? [atMost(2, 'floor'), countAtMost(1, 'listeners')] : [];
      return prepared({ name, role, targets }, size, () => abortTogether(wait, size));
    }),
  };
}

export function ownSignals(size: number): Case {
  return {
    title: `Semaphore: ${size.toLocaleString('en-US')} waiters aborted in random order, a signal each`,
    shows: 'The same if every caller has its own signal, as every request has.',
    ...effort(size),
    subjects: feasible(withOwnSignals, size).map(({ name, role, wait }) => {
      const targets = role === 'latchkey' ? [atMost(1.5, 'floor')] : [];
      return prepared({ name, role, targets }, size, () => abortApart(wait, size));
    }),
  };
}

/** A sample is one crowd, and some meet the garbage collector; a hundred thousand signals take a second to make. */
function effort(size: number) {
  return size > 10_000
    ? { time: 'per waiter', rounds: 9, budgetMs: 4_000 }
    : { time: 'per waiter', rounds: 31, budgetMs: 1_500, isCrowd: true };
}

function feasible(all: readonly GivingUp[], size: number): readonly GivingUp[] {
  return size > 10_000 ? all.filter((one) => !quadratic.includes(one)) : all;
}

/** One controller for all. What this does is not timed, what it returns is. */
export function abortTogether(wait: Wait, size: number): () => Promise<Counts> {
  const controller = new AbortController();
  // Node warns about more than ten listeners. Here the table shows the count instead.
  setMaxListeners(0, controller.signal);
  const signals = Array.from({ length: size }, () => controller.signal);
  return async () => {
    const outcomes = Promise.allSettled(wait(signals));
    const listeners = getEventListeners(controller.signal, 'abort').length;
    controller.abort();
    await outcomes;
    return { listeners };
  };
}

/** An abort without a reason makes one, with its stack. That takes 25 us, which would hide the cost of a queue. */
const reason = new Error('the caller has gone');

/** A controller each. What this does is not timed, what it returns is. */
export function abortApart(wait: Wait, size: number): () => Promise<void> {
  const controllers = Array.from({ length: size }, () => new AbortController());
  const signals = controllers.map(({ signal }) => signal);
  const inRandomOrder = shuffled(controllers);
  return async () => {
    const outcomes = Promise.allSettled(wait(signals));
    for (const controller of inRandomOrder) controller.abort(reason);
    await outcomes;
  };
}
