/**
 * 1,000, 10,000 and 100,000 at once: does an operation cost the same, whatever their number? With a young generation
 * of 128 MB: in Node's default of 16 MB, a hundred thousand waiters grow old, and the bench would measure the collector.
 */
import { KeyedMutex, Mutex } from 'latchkey';
import { type Callers, crowdOf, type Use } from '../../harness/callers.js';
import { resolveInTurn, setAwaitDelete } from '../../harness/floors.js';
import { growing, growthSizes } from '../../harness/growth.js';
import type { Case, Role, Subject, Suite } from '../../harness/subjects.js';
import { growsLike } from '../../harness/targets.js';
import { asyncLock, asyncLockKeyed } from '../../rivals/async-lock.js';
import { asyncMutex, asyncMutexPerKey } from '../../rivals/async-mutex.js';
import { asyncSema } from '../../rivals/async-sema.js';
import { cockatielBulkhead } from '../../rivals/cockatiel.js';
import { pLimitRun } from '../../rivals/p-limit.js';
import { pQueueRun } from '../../rivals/p-queue.js';
import { abortApart, abortTogether, withOneSignal, withOwnSignals } from '../locks/giving-up.js';
import { roomyHeap } from './crowds.bench.js';

const task = async () => {};

const waiters = table(
  'Growth: callers at once for one lock',
  'A package that searches, shifts or copies its queue is quadratic: ten times the callers, a hundred times the time.',
  [
    growing(
      { name: 'a promise each, resolved in turn', role: 'floor' },
      (size) => () => resolveInTurn(size, task),
    ),
    queue('latchkey', () => {
      const mutex = new Mutex();
      return (work) => mutex.run(work);
    }),
    queue('async-sema', () => asyncSema(1)),
    queue('p-limit', () => pLimitRun(1)),
    queue('p-queue', () => pQueueRun(1)),
    queue('cockatiel', () => cockatielBulkhead(1)),
    queue('async-lock', asyncLock),
    queue('async-mutex', asyncMutex),
  ],
);

const keys = table(
  'Growth: distinct keys at once',
  'A lock per key must not know how many others there are.',
  [
    growing({ name: 'Map set, await, delete', role: 'floor' }, (size) => () => setAwaitDelete(size, task)),
    keyed('latchkey', () => {
      const locks = new KeyedMutex<number>();
      return (key, work) => locks.run(key, work);
    }),
    keyed('async-lock', asyncLockKeyed),
    keyed('Map of async-mutex', asyncMutexPerKey),
  ],
);

const aborts = table(
  'Growth: waiters aborted in random order, a signal each',
  'Requests that are cancelled leave the middle of the queue; a search for them there costs as much as the queue is long.',
  withOwnSignals.map(({ wait, ...subject }) =>
    growing(withTarget(subject), (size) => abortApart(wait, size)),
  ),
);

const abortsTogether = table(
  'Growth: waiters aborted through one signal',
  'A signal with a listener per waiter is searched at every one of them that comes and goes.',
  withOneSignal.map(({ wait, ...subject }) =>
    growing(withTarget(subject), (size) => abortTogether(wait, size)),
  ),
);

function table(title: string, shows: string, subjects: readonly Subject[]): Case {
  return { title, shows, sizes: growthSizes, rounds: 5, budgetMs: 4_000, subjects };
}

function queue(name: string, make: () => Use): Subject {
  let all: Callers | undefined;
  return growing(withTarget({ name, role: roleOf(name) }), (size) => async () => {
    const use = make();
    all ??= crowdOf(use);
    await all(use, size, task);
  });
}

function keyed(name: string, make: () => Use<[number]>): Subject {
  let all: Callers<Use<[number]>> | undefined;
  return growing(withTarget({ name, role: roleOf(name) }), (size) => async () => {
    const use = make();
    all ??= crowdOf(use, Math.max(...growthSizes));
    await all(use, size, task);
  });
}

function roleOf(name: string): Role {
  return name === 'latchkey' ? 'latchkey' : 'peer';
}

function withTarget(subject: { name: string; role: Role }) {
  return { ...subject, targets: subject.role === 'latchkey' ? [growsLike('floor')] : [] };
}

export const growth: Suite = {
  name: 'growth',
  onDemand: true,
  reported: true,
  nodeFlags: roomyHeap,
  async run(measure) {
    await measure(waiters);
    await measure(keys);
    await measure(aborts);
    await measure(abortsTogether);
  },
};
