import { setImmediate as immediate } from 'node:timers/promises';
import { exponential, retry as latchkeyRetry, RetryBudget } from 'latchkey';
import pRetry from 'p-retry';
import type { Task, Use } from '../../harness/callers.js';
import { crowd, operation, regularCaller, scenario } from '../../harness/stopwatch.js';
import type { Case, Counts, Role, Suite } from '../../harness/subjects.js';
import { atMost, shareOfCount } from '../../harness/targets.js';
import { bareRetry } from '../../naive/bare-retry.js';
import { cockatielRetry } from '../../rivals/cockatiel.js';
import { pRetryRun } from '../../rivals/p-retry.js';

type RunRetry = <T>(task: Task<T>) => Promise<T>;

const task = async () => {};
const terms = { attempts: 6, initialMs: 20 };

const succeeds: Case = {
  title: 'retry: a task that succeeds at once',
  shows: 'The cost of `retry` around a call that succeeds.',
  warmups: 2,
  subjects: [
    operation({ name: 'await task()', role: 'floor' }, task),
    operation({ name: 'bare loop', role: 'naive' }, () => bareRetry(task)),
    operation({ name: 'latchkey', role: 'latchkey', targets: [atMost(3, 'floor')] }, () =>
      latchkeyRetry(task),
    ),
    succeedsAtOnce('cockatiel', cockatielRetry(terms)),
    succeedsAtOnce('p-retry', pRetryRun(terms)),
  ],
};

const attemptTimeoutMs = 1_000;

/** One attempt for all: what differs between calls is given to the policy of cockatiel in advance. */
const inTime: readonly { name: string; role: Role; use: Use }[] = [
  {
    name: 'latchkey',
    role: 'latchkey',
    use: (work) => latchkeyRetry(work, { attempts: 6, attemptTimeoutMs }),
  },
  { name: 'cockatiel', role: 'peer', use: cockatielRetry({ ...terms, attemptTimeoutMs }) },
  {
    name: 'p-retry, AbortSignal.timeout',
    role: 'peer',
    use: (work) => {
      const signal = AbortSignal.timeout(attemptTimeoutMs);
      return pRetry(() => work(), { retries: 5, minTimeout: 20, signal });
    },
  },
];

const withOptions: Case = {
  title: 'retry: a task that succeeds at once, with options',
  shows: 'Options are read and checked at each call; a policy of cockatiel is made once.',
  warmups: 2,
  subjects: [
    operation({ name: 'await task()', role: 'floor' }, task),
    operation({ name: 'latchkey', role: 'latchkey', targets: [atMost(3, 'floor')] }, () =>
      latchkeyRetry(task, { attempts: 6 }),
    ),
    succeedsAtOnce('cockatiel', cockatielRetry(terms)),
    succeedsAtOnce('p-retry', pRetryRun(terms)),
  ],
};

const inTimeAlone: Case = {
  title: 'retry: a task that succeeds at once, with a timeout per attempt',
  shows: 'Most services set one. A timer that is alone with its duration is what a lone call pays for.',
  warmups: 2,
  subjects: [
    operation({ name: 'await task()', role: 'floor' }, task),
    operation({ name: 'setTimeout, clearTimeout and await task()', role: 'part' }, () => {
      clearTimeout(setTimeout(task, attemptTimeoutMs));
      return task();
    }),
    ...inTime.map(({ name, role, use }) =>
      regularCaller({ name, role, targets: role === 'latchkey' ? [atMost(10, 'floor')] : [] }, use, task),
    ),
  ],
};

const inTimeTogether: Case = {
  title: 'retry: 1,000 calls at once that wait a setImmediate, with a timeout per attempt',
  shows: 'The same in a busy service, where other calls wait with the same timeout.',
  time: 'per call',
  rounds: 15,
  warmups: 2,
  subjects: [
    crowd(
      { name: 'no retry', role: 'floor' },
      1_000,
      () => (work) => work(),
      () => immediate(),
    ),
    ...inTime.map(({ name, role, use }) =>
      crowd(
        { name, role },
        1_000,
        () => use,
        () => immediate(),
      ),
    ),
  ],
};

function succeedsAtOnce(name: string, run: RunRetry) {
  return operation({ name, role: 'peer' }, () => run(task));
}

/** Serves a fixed number of calls per 10 ms and refuses the others, as a backend under load does. */
class Backend {
  readonly #perWindow: number;
  readonly #windows = new Map<number, number>();
  calls = 0;

  constructor(perWindow: number) {
    this.#perWindow = perWindow;
  }

  /** The busiest window after the first one, in which all callers make their first call. */
  get peakOfRetries(): number {
    return Math.max(0, ...[...this.#windows.values()].slice(1));
  }

  async call(): Promise<void> {
    const window = Math.floor(performance.now() / 10);
    const calls = (this.#windows.get(window) ?? 0) + 1;
    this.#windows.set(window, calls);
    this.calls++;
    if (calls > this.#perWindow) throw new Error('503');
  }
}

const herd: Case = {
  title: 'retry: a herd of 500 callers at once to a backend that serves 40 calls per 10 ms',
  shows: 'Without jitter, callers that failed together come back together, and fail together.',
  rounds: 2,

  subjects: [
    herded('bare loop', 'naive', (work) => bareRetry(work, terms.attempts, terms.initialMs)),
    herded('latchkey', 'latchkey', (work) =>
      latchkeyRetry(work, { attempts: terms.attempts, backoff: exponential({ initialMs: terms.initialMs }) }),
    ),
    herded('cockatiel', 'peer', cockatielRetry(terms)),
    herded('p-retry', 'peer', pRetryRun(terms)),
  ],
};

function herded(name: string, role: Role, run: RunRetry) {
  const targets = role === 'latchkey' ? [shareOfCount(0.5, 'failed', 'naive')] : [];
  return scenario({ name, role, targets }, async (): Promise<Counts> => {
    const backend = new Backend(40);
    const callers = Array.from({ length: 500 }, () => run(() => backend.call()));
    const outcomes = await Promise.allSettled(callers);
    const failed = outcomes.filter(({ status }) => status === 'rejected').length;
    return { calls: backend.calls, 'peak of retries': backend.peakOfRetries, failed };
  });
}

const outage: Case = {
  title: 'retry: an outage, 1,000 calls to a backend that is down',
  shows:
    'Three attempts triple the load on a backend that is down. A budget shared by all calls limits the retries to a tenth of the calls.',
  rounds: 3,
  subjects: [
    down('bare loop', 'naive', () => (work) => bareRetry(work, 3, 1)),
    down(
      'latchkey, no budget',
      'latchkey',
      () => (work) => latchkeyRetry(work, { backoff: exponential({ initialMs: 1 }) }),
    ),
    down('latchkey, RetryBudget', 'latchkey', () => {
      const budget = new RetryBudget();
      return (work) => latchkeyRetry(work, { budget, backoff: exponential({ initialMs: 1 }) });
    }),
    down('cockatiel', 'peer', () => cockatielRetry({ attempts: 3, initialMs: 1 })),
    down('p-retry', 'peer', () => pRetryRun({ attempts: 3, initialMs: 1 })),
  ],
};

function down(name: string, role: Role, make: () => RunRetry) {
  const targets = name.endsWith('RetryBudget') ? [shareOfCount(0.4, 'calls', 'naive')] : [];
  return scenario({ name, role, targets }, async (): Promise<Counts> => {
    const backend = new Backend(0);
    const run = make();
    await Promise.allSettled(Array.from({ length: 1_000 }, () => run(() => backend.call())));
    return { calls: backend.calls };
  });
}

export const retry: Suite = {
  name: 'retry',
  async run(measure) {
    await measure(succeeds);
    await measure(withOptions);
    await measure(inTimeAlone);
    await measure(inTimeTogether);
    await measure(herd);
    await measure(outage);
  },
};
