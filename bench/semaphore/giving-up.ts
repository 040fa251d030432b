/** Waiters who give up: time per waiter and listeners, however many wait. */
import { getEventListeners, setMaxListeners } from 'node:events';
import { Semaphore } from 'latchkey';
import PQueue from 'p-queue';
import { ArrayQueueSemaphore } from '../naive/array-queue.js';
import { shuffled } from '../statistics.js';
import { prepared } from '../stopwatch.js';
import type { Case, Subject } from '../subjects.js';
import { atMost, countAtMost } from '../targets.js';

type Described = Omit<Subject, 'sample'>;

/** A caller per signal waits for something that is held; each has a promise of his own. */
type Wait = (signals: readonly AbortSignal[]) => Promise<unknown>[];

const waiters: Record<'naive' | 'latchkey' | 'pQueue', Wait> = {
  naive(signals) {
    const semaphore = new ArrayQueueSemaphore(1);
    void semaphore.acquire();
    return signals.map((signal) => semaphore.acquire(signal));
  },
  latchkey(signals) {
    const semaphore = new Semaphore(1);
    semaphore.tryAcquire();
    return signals.map((signal) => semaphore.acquire({ signal }));
  },
  pQueue(signals) {
    const queue = new PQueue({ concurrency: 1 });
    void queue.add(() => new Promise(() => {}));
    return signals.map((signal) => queue.add(() => undefined, { signal }));
  },
};

/** Above 10,000 waiters without those who are quadratic: minutes. */
export function sharedSignal(size: number): Case {
  const targets = [atMost(2, 'floor'), countAtMost(1, 'listeners')];
  const latchkeyAndFloor = [
    abortedTogether({ name: 'one listener, n rejections', role: 'floor' }, size, rejectAll),
    abortedTogether({ name: 'latchkey', role: 'latchkey', targets }, size, waiters.latchkey),
  ];
  const quadratic = [
    abortedTogether({ name: 'array queue', role: 'naive' }, size, waiters.naive),
    abortedTogether({ name: 'p-queue', role: 'peer' }, size, waiters.pQueue),
  ];
  return {
    title: `Semaphore: ${size.toLocaleString('en-US')} waiters aborted through one signal`,
    shows: 'Giving up must not search the queue: the time per waiter stays the same however many there are.',
    time: 'per waiter',
    rounds: 9,
    budgetMs: 800,
    subjects: size > 10_000 ? latchkeyAndFloor : [...latchkeyAndFloor, ...quadratic],
  };
}

function abortedTogether(subject: Described, size: number, wait: Wait): Subject {
  return prepared(subject, size, () => {
    const controller = new AbortController();
    // Node warns of more than ten listeners, and is right; here the count says it.
    setMaxListeners(0, controller.signal);
    const signals = Array.from({ length: size }, () => controller.signal);
    return async () => {
      const outcomes = Promise.allSettled(wait(signals));
      const listeners = getEventListeners(controller.signal, 'abort').length;
      controller.abort();
      await outcomes;
      return { listeners };
    };
  });
}

/** Promises rejected by one listener on the first signal, which all of them share. */
function rejectAll(signals: readonly AbortSignal[]): Promise<unknown>[] {
  const rejects: ((reason: unknown) => void)[] = [];
  signals[0]!.addEventListener('abort', () => {
    for (const reject of rejects) reject(signals[0]!.reason);
  });
  return signals.map(() => new Promise((_, reject) => rejects.push(reject)));
}

const crowdSize = 10_000;

export const ownSignals: Case = {
  title: 'Semaphore: 10,000 waiters aborted in random order, a signal each',
  shows: 'The same where every caller has a signal of his own, as every request has.',
  time: 'per waiter',
  rounds: 9,
  budgetMs: 800,
  subjects: [
    abortedApart({ name: 'a listener each, no queue', role: 'floor' }, rejectEach),
    abortedApart({ name: 'array queue', role: 'naive' }, waiters.naive),
    abortedApart({ name: 'latchkey', role: 'latchkey', targets: [atMost(1.5, 'floor')] }, waiters.latchkey),
    abortedApart({ name: 'p-queue', role: 'peer' }, waiters.pQueue),
  ],
};

function abortedApart(subject: Described, wait: Wait): Subject {
  return prepared(subject, crowdSize, () => {
    const controllers = Array.from({ length: crowdSize }, () => new AbortController());
    const signals = controllers.map(({ signal }) => signal);
    const inRandomOrder = shuffled(controllers);
    return async () => {
      const outcomes = Promise.allSettled(wait(signals));
      for (const controller of inRandomOrder) controller.abort();
      await outcomes;
    };
  });
}

function rejectEach(signals: readonly AbortSignal[]): Promise<unknown>[] {
  return signals.map(
    (signal) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      ),
  );
}
