import { KeyedMutex } from 'latchkey';
import { type Callers, crowdOf, type Use } from '../../harness/callers.js';
import { resolveInTurnPerKey, setAwaitDelete } from '../../harness/floors.js';
import { callerOfKeys, operation, scenario } from '../../harness/stopwatch.js';
import type { Case, Role, Subject, Suite, Target } from '../../harness/subjects.js';
import { asFastAs, atMost, countAtMost } from '../../harness/targets.js';
import { PromiseChainMap } from '../../naive/promise-chain-map.js';
import { asyncLockKeyed } from '../../rivals/async-lock.js';
import { asyncMutexPerKey } from '../../rivals/async-mutex.js';
import { asyncSemaPerKey, asyncSemaPerKeyRun } from '../../rivals/async-sema.js';

interface Keyed {
  use: Use<[number]>;
  /** Keys still in the table when no key is in use. */
  keysKept(): number;
}

const task = async () => {};

const makers: readonly { name: string; role: Role; make: () => Keyed }[] = [
  { name: 'promise chain Map', role: 'naive', make: chains },
  { name: 'latchkey', role: 'latchkey', make: latchkey },
  { name: 'async-lock', role: 'peer', make: locks },
  { name: 'Map of async-mutex', role: 'peer', make: mutexes },
  { name: 'Map of async-sema, users counted', role: 'peer', make: countedSemaphores },
  { name: 'Map of async-sema, wrapped as run', role: 'peer', make: countedSemaphoresRun },
];

function chains(): Keyed {
  const lock = new PromiseChainMap<number>();
  return { use: (key, work) => lock.run(key, work), keysKept: () => lock.size };
}

function latchkey(): Keyed {
  const lock = new KeyedMutex<number>();
  return { use: (key, work) => lock.run(key, work), keysKept: () => lock.size };
}

function locks(): Keyed {
  const use = asyncLockKeyed();
  return { use, keysKept: use.size };
}

function mutexes(): Keyed {
  const use = asyncMutexPerKey();
  return { use, keysKept: use.size };
}

function countedSemaphores(): Keyed {
  const use = asyncSemaPerKey();
  return { use, keysKept: use.size };
}

function countedSemaphoresRun(): Keyed {
  const use = asyncSemaPerKeyRun();
  return { use, keysKept: use.size };
}

const keysInTurn: Case = {
  title: 'KeyedMutex: run(key, task), uncontended, 1,024 keys in turn',
  shows: 'The time that a free keyed lock adds to the call that it protects.',
  warmups: 2,
  subjects: [
    operation({ name: 'await task()', role: 'floor' }, task),
    ...makers.map(({ name, role, make }) => {
      const targets = role === 'latchkey' ? [atMost(3.5, 'floor')] : [];
      return callerOfKeys({ name, role, targets }, 1_024, make().use, task);
    }),
  ],
};

const manyKeys: Case = {
  title: 'KeyedMutex: 100,000 distinct keys at once',
  shows: 'The time per key, and how many keys are still in memory when all of them are idle again.',
  rounds: 5,
  budgetMs: 800,
  subjects: [
    scenario({ name: 'Map set, await, delete', role: 'floor' }, () => setAwaitDelete(100_000, task)),
    ...crowds(100_000, 1, [atMost(2.2, 'floor'), countAtMost(0, 'keys kept')]),
  ],
};

const contendedKeys: Case = {
  title: 'KeyedMutex: 1,000 keys x 100 callers at once',
  shows: 'The same under contention, where each key has a queue.',
  rounds: 9,
  budgetMs: 3_000,
  subjects: [
    scenario({ name: 'a promise each, resolved in turn per key', role: 'floor' }, () =>
      resolveInTurnPerKey(1_000, 100, task),
    ),
    ...crowds(1_000, 100, [
      atMost(1.5, 'floor'),
      asFastAs(1, 'Map of async-sema, users counted'),
      countAtMost(0, 'keys kept'),
    ]),
  ],
};

const entryAlone: Case = {
  title: 'KeyedMutex: the entry alone, 1,024 keys in turn',
  shows: 'What no keyed lock can do without: an entry while its key is held, for as long as the task takes.',
  warmups: 2,
  subjects: [
    operation({ name: 'await task()', role: 'floor' }, task),
    entry('a Map that empties each time', new Map()),
    entry('a Map with room', roomyMap()),
  ],
};

function entry(name: string, held: Map<unknown, object>): Subject {
  let turn = 0;
  return operation({ name, role: 'part' }, () => {
    const key = turn++ & 1_023;
    if (held.has(key)) throw new Error('nobody else is here');
    held.set(key, { key });
    return task().then(
      (value) => {
        held.delete(key);
        return value;
      },
      (error) => {
        held.delete(key);
        throw error;
      },
    );
  });
}

/** With a quarter of it in use: it neither shrinks nor, at once, grows. */
function roomyMap(): Map<unknown, object> {
  const map = new Map<unknown, object>(Array.from({ length: 65 }, () => [Symbol(), {}]));
  for (const key of [...map.keys()].slice(32)) map.delete(key);
  return map;
}

function crowds(keys: number, callersPerKey: number, targets: readonly Target[]) {
  return makers.map(({ name, role, make }) => {
    let all: Callers<Use<[number]>> | undefined;
    return scenario({ name, role, targets: role === 'latchkey' ? targets : [] }, async () => {
      const { use, keysKept } = make();
      all ??= crowdOf(use, keys);
      await all(use, keys * callersPerKey, task);
      return { 'keys kept': keysKept() };
    });
  });
}

export const keyedMutex: Suite = {
  name: 'keyed-mutex',
  async run(measure) {
    await measure(keysInTurn);
    await measure(entryAlone);
    await measure(manyKeys);
    await measure(contendedKeys);
  },
};
