import { setImmediate as immediate } from 'node:timers/promises';
import AsyncLock from 'async-lock';
import { Semaphore as AsyncMutexSemaphore, withTimeout } from 'async-mutex';
import { Semaphore, type WaitOptions } from 'latchkey';
import type { Use } from '../../harness/callers.js';
import { resolveInTurn } from '../../harness/floors.js';
import { burst, crowd } from '../../harness/stopwatch.js';
import type { Case, Subject, Suite } from '../../harness/subjects.js';
import { asFastAs } from '../../harness/targets.js';
import { ArrayQueueSemaphore } from '../../naive/array-queue.js';
import { asyncMutexSemaphore } from '../../rivals/async-mutex.js';
import { asyncSema, asyncSemaRun } from '../../rivals/async-sema.js';
import { bottleneck } from '../../rivals/bottleneck.js';
import { cockatielBulkhead } from '../../rivals/cockatiel.js';
import { pLimitRun } from '../../rivals/p-limit.js';
import { pQueueRun } from '../../rivals/p-queue.js';
import { ownSignals, sharedSignal } from './giving-up.js';

const crowdSize = 10_000;

const limitTen: Case = {
  isCrowd: true,
  title: 'Semaphore: limit 10 over 10,000 tasks that wait a setImmediate each',
  shows:
    'The cost of a limit compared with a tiny task. On the floor each task waits for its own promise, ten at a time.',
  time: 'per task',
  rounds: 9,
  budgetMs: 800,
  subjects: [
    burst({ name: 'a promise each, ten at a time', role: 'floor' }, crowdSize, () =>
      resolveInTurn(crowdSize, () => immediate(), 10),
    ),
    limited('no limit', 'part', () => (task) => task()),
    limited('array queue', 'naive', naive),
    limited('latchkey', 'latchkey', latchkey),
    limited('async-sema', 'peer', () => asyncSema(10)),
    limited('async-sema, wrapped as run', 'peer', () => asyncSemaRun(10)),
    limited('p-limit', 'peer', () => pLimitRun(10)),
    limited('p-queue', 'peer', () => pQueueRun(10)),
    limited('async-mutex', 'peer', () => asyncMutexSemaphore(10)),
    limited('cockatiel', 'peer', () => cockatielBulkhead(10)),
    limited('bottleneck', 'peer', () => bottleneck(10)),
  ],
};

function limited(name: string, role: Subject['role'], make: () => Use): Subject {
  const targets = role === 'latchkey' ? [asFastAs(1, 'async-sema')] : [];
  return crowd({ name, role, targets }, crowdSize, make, () => immediate());
}

function naive(): Use {
  const semaphore = new ArrayQueueSemaphore(10);
  return (task) => semaphore.run(task);
}

function latchkey(): Use {
  const semaphore = new Semaphore(10);
  return (task) => semaphore.run(task);
}

function timeouts(size: number): Case {
  return {
    isCrowd: size === crowdSize,
    title: `Semaphore: ${size.toLocaleString('en-US')} waiters with a timeout that never fires`,
    shows:
      'The cost of a timeout that does not fire. Equal timeouts share a timer, and an error is made only when one fires.',
    time: 'per waiter',
    rounds: 9,
    budgetMs: 800,
    subjects: [
      burst({ name: 'a promise each, resolved in turn', role: 'floor' }, size, () =>
        resolveInTurn(size, async () => {}),
      ),
      {
        ...served('latchkey', 'latchkey', size, latchkeyWaiting({ waitTimeoutMs: 60_000 })),
        targets: size === crowdSize ? [asFastAs(1, 'async-lock')] : [],
      },
      served('latchkey, no timeout', 'latchkey', size, latchkeyWaiting({})),
      // Quadratic.
      ...(size === crowdSize ? [served('async-lock', 'peer', size, asyncLockWaiting)] : []),
      served('async-mutex', 'peer', size, asyncMutexWaiting),
    ],
  };
}

function served(name: string, role: Subject['role'], size: number, make: () => Use): Subject {
  return crowd({ name, role }, size, make, async () => {});
}

function latchkeyWaiting(options: WaitOptions): () => Use {
  return () => {
    const semaphore = new Semaphore(1);
    return (task) => semaphore.run(task, options);
  };
}

function asyncLockWaiting(): Use {
  const lock = new AsyncLock({ maxPending: Infinity, timeout: 60_000 });
  return (task) => lock.acquire('key', task);
}

function asyncMutexWaiting(): Use {
  const semaphore = withTimeout(new AsyncMutexSemaphore(1), 60_000);
  return (task) => semaphore.runExclusive(task);
}

export const semaphore: Suite = {
  name: 'semaphore',
  async run(measure) {
    await measure(limitTen);
    await measure(sharedSignal(crowdSize));
    await measure(sharedSignal(10 * crowdSize));
    await measure(ownSignals(crowdSize));
    await measure(ownSignals(10 * crowdSize));
    await measure(timeouts(crowdSize));
    await measure(timeouts(10 * crowdSize));
  },
};
