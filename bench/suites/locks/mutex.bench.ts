import { Mutex as AsyncMutex } from 'async-mutex';
import { Mutex, type Permit } from 'latchkey';
import { crowdOf, type Runs, type Takes, type Use } from '../../harness/callers.js';
import { resolveInTurn } from '../../harness/floors.js';
import {
  burst,
  crowd,
  operation,
  regularCaller,
  scenario,
  synchronousOperation,
} from '../../harness/stopwatch.js';
import type { Case, Role, Subject, Suite } from '../../harness/subjects.js';
import { asFastAs, atMost, countAtMost } from '../../harness/targets.js';
import { increment } from '../../naive/check-then-act.js';
import { PromiseChain } from '../../naive/promise-chain.js';
import { asyncLock } from '../../rivals/async-lock.js';
import { asyncMutex } from '../../rivals/async-mutex.js';
import { asyncSema, asyncSemaHandles, asyncSemaRun } from '../../rivals/async-sema.js';
import { cockatielBulkhead } from '../../rivals/cockatiel.js';
import { effectSemaphore } from '../../rivals/effect.js';
import { pLimitRun } from '../../rivals/p-limit.js';
import { pQueueRun } from '../../rivals/p-queue.js';
import { locks, webLock } from '../../rivals/web-locks.js';

const task = async () => {};

const makers: readonly { name: string; role: Role; make: () => Use }[] = [
  { name: 'promise chain', role: 'naive', make: chain },
  { name: 'latchkey', role: 'latchkey', make: latchkey },
  { name: 'async-sema', role: 'peer', make: () => asyncSema(1) },
  { name: 'async-sema, wrapped as run', role: 'peer', make: () => asyncSemaRun(1) },
  { name: 'cockatiel', role: 'peer', make: () => cockatielBulkhead(1) },
  { name: 'async-lock', role: 'peer', make: asyncLock },
  { name: 'p-limit', role: 'peer', make: () => pLimitRun(1) },
  { name: 'p-queue', role: 'peer', make: () => pQueueRun(1) },
  { name: 'async-mutex', role: 'peer', make: asyncMutex },
  { name: 'effect', role: 'peer', make: () => effectSemaphore(1) },
  ...(locks === undefined ? [] : [{ name: 'navigator.locks', role: 'peer' as const, make: webLock }]),
];

function chain(): Use {
  const lock = new PromiseChain();
  return (work) => lock.run(work);
}

function latchkey(): Runs {
  const lock = new Mutex();
  return (work) => lock.run(work);
}

const lostUpdates: Case = {
  title: 'Mutex: 100 callers read a counter, wait, and write it back plus one',
  shows: 'Without a lock all of them read the same value, and 99 of 100 updates are lost.',
  countsOnly: true,
  rounds: 3,
  subjects: [
    scenario({ name: 'check-then-act', role: 'naive' }, () => hundredIncrements((work) => work())),
    scenario({ name: 'latchkey', role: 'latchkey', targets: [countAtMost(0, 'lost updates')] }, () =>
      hundredIncrements(latchkey()),
    ),
  ],
};

async function hundredIncrements(run: Runs) {
  let stored = 0;
  const store = {
    read: async () => stored,
    write: async (_key: string, value: number) => {
      stored = value;
    },
  };
  await crowdOf(run)(run, 100, () => increment(store, 'visits'));
  return { 'lost updates': 100 - stored };
}

const uncontendedRun: Case = {
  title: 'Mutex: run(task), uncontended',
  shows: 'The time that a free lock adds to the call that it protects.',
  warmups: 2,
  subjects: [
    operation({ name: 'await task()', role: 'floor' }, task),
    ...makers.map(({ name, role, make }) => {
      const targets = role === 'latchkey' ? [atMost(1.8, 'floor')] : [];
      return regularCaller({ name, role, targets }, make(), task);
    }),
  ],
};

const uncontendedAcquire: Case = {
  title: 'Mutex: acquire() and release(), uncontended',
  shows: 'The cost of a permit. async-sema has no permit that releases only once, and no way to give up.',
  warmups: 2,
  subjects: [
    operation({ name: 'await a resolved promise', role: 'floor' }, () => Promise.resolve()),
    latchkeyAcquire(),
    latchkeyTryAcquire(),
    asyncSemaAcquire(),
    asyncSemaHandle(),
    asyncMutexAcquire(),
  ],
};

function latchkeyAcquire(): Subject {
  const { take, giveBack } = latchkeyPermits();
  const targets = [atMost(1.7, 'floor')];
  return operation({ name: 'latchkey', role: 'latchkey', targets }, take, giveBack);
}

function latchkeyTryAcquire(): Subject {
  const mutex = new Mutex();
  const targets = [atMost(0.2, 'floor')];
  return synchronousOperation({ name: 'latchkey tryAcquire()', role: 'latchkey', targets }, () =>
    mutex.tryAcquire()!.release(),
  );
}

function asyncSemaAcquire(): Subject {
  const { take, giveBack } = asyncSema(1);
  return operation({ name: 'async-sema', role: 'peer' }, take, giveBack);
}

function asyncSemaHandle(): Subject {
  const { take, giveBack } = asyncSemaHandles(1);
  return operation({ name: 'async-sema, with a handle', role: 'peer' }, take, giveBack);
}

function asyncMutexAcquire(): Subject {
  const { take, giveBack } = asyncMutexPermits();
  return operation({ name: 'async-mutex', role: 'peer' }, take, giveBack);
}

function callersAtOnce(size: number, limit: number, left: readonly string[]): Case {
  return {
    title: `Mutex: ${size.toLocaleString('en-US')} callers at once for one lock`,
    shows: 'The time per caller of a contended lock.',
    time: 'per caller',
    rounds: 9,
    budgetMs: 1_500,
    subjects: [
      burst({ name: 'a promise each, resolved in turn', role: 'floor' }, size, () =>
        resolveInTurn(size, task),
      ),
      ...makers
        .filter(({ name }) => !left.includes(name))
        .map(({ name, role, make }) => {
          const targets = role === 'latchkey' ? [atMost(limit, 'floor'), asFastAs(1, 'async-sema')] : [];
          return crowd({ name, role, targets }, size, make, task);
        }),
    ],
  };
}

const permitsAtOnce: Case = {
  title: 'Mutex: 1,000 callers at once for one lock, acquire() and release()',
  shows: 'The same for code that takes the lock and gives it back by two calls.',
  time: 'per caller',
  rounds: 9,
  budgetMs: 800,
  subjects: [
    burst({ name: 'a promise each, resolved in turn', role: 'floor' }, 1_000, () =>
      resolveInTurn(1_000, task),
    ),
    crowd(
      { name: 'latchkey', role: 'latchkey', targets: [asFastAs(1, 'async-sema')] },
      1_000,
      latchkeyPermits,
      task,
    ),
    crowd({ name: 'async-sema', role: 'peer' }, 1_000, () => asyncSema(1), task),
    crowd({ name: 'async-mutex', role: 'peer' }, 1_000, asyncMutexPermits, task),
  ],
};

function latchkeyPermits(): Takes<[], Permit> {
  const mutex = new Mutex();
  return { take: () => mutex.acquire(), giveBack: (permit) => permit.release() };
}

function asyncMutexPermits(): Takes<[], () => void> {
  const mutex = new AsyncMutex();
  return { take: () => mutex.acquire(), giveBack: (release) => release() };
}

export const mutex: Suite = {
  name: 'mutex',
  async run(measure) {
    await measure(uncontendedRun);
    await measure(uncontendedAcquire);
    await measure(callersAtOnce(1_000, 1.35, []));
    await measure(permitsAtOnce);
    // Quadratic, or tens of times slower than the others: it would take a minute to repeat the result of the last table.
    await measure(
      callersAtOnce(100_000, 1.8, ['async-lock', 'async-mutex', 'cockatiel', 'effect', 'navigator.locks']),
    );
    await measure(lostUpdates);
  },
};
