/** The cost of `latchkey/watch`, off and on, compared with a copy of the package from which it was cut out; and who is silent. */
import {
  type CutOut,
  cutOutCase,
  gzippedBundle,
  type MakeSubject,
  mutexCrowd,
  type Packages,
  withPackages,
} from '../../harness/cut-out.js';
import { operation, scenario } from '../../harness/stopwatch.js';
import type { Case, Subject, Suite, Target } from '../../harness/subjects.js';
import { atMost, countAtMost } from '../../harness/targets.js';
import { asyncLock } from '../../rivals/async-lock.js';
import { asyncMutex } from '../../rivals/async-mutex.js';
import { cockatielBulkhead } from '../../rivals/cockatiel.js';
import { pLimitRun } from '../../rivals/p-limit.js';
import { pQueueRun } from '../../rivals/p-queue.js';
import type { Run } from '../../rivals/rival.js';
import { locks, webLock } from '../../rivals/web-locks.js';

/** Every question for the observer has a constant answer, so the minifier removes it. */
const withoutObserver: CutOut = {
  file: /src.*\.ts$/,
  contents: (source) => source.replace(/\bwatching\.observer(?=\?\.| [!=]== undefined)/g, '(void 0)'),
};

/** A watcher that takes no stacks: what is left is the cost of tasks and of the graph. */
const withoutStacks: CutOut = {
  file: /src.watch.place\.ts$/,
  contents: () => `export class Trace { settle() {} get frames() { return []; } get place() { return ''; } }`,
};

const nothing = async () => {};

const works: Record<string, MakeSubject> = {
  'mutex.run, uncontended': ({ Mutex }, description) => {
    const mutex = new Mutex();
    return operation(description, () => mutex.run(nothing));
  },
  'keyed.run, uncontended': ({ KeyedMutex }, description) => {
    const keys = new KeyedMutex<string>();
    return operation(description, () => keys.run('key', nothing));
  },
  'semaphore.run, uncontended': ({ Semaphore }, description) => {
    const semaphore = new Semaphore(2);
    return operation(description, () => semaphore.run(nothing));
  },
  'pool.use, idle': ({ ConnectionPool }, description) => {
    const pool = new ConnectionPool({ connect: () => ({}), close() {} });
    return operation(description, () => pool.use(nothing));
  },
  '1,000 callers at once for one mutex': mutexCrowd,
};

function tables(
  packages: Packages,
  state: string,
  shows: string,
  targets: readonly Target[] = [],
  floor = 'without an observer',
): Case[] {
  return Object.entries(works).map(([work, makeSubject]) =>
    cutOutCase(packages, makeSubject, {
      title: `Watch: ${work}, ${state}`,
      shows,
      floor,
      targets,
    }),
  );
}

/** Who reports a lock that is taken inside itself, in the turns that follow. */
function silence(packages: Packages): Case {
  const hang = (name: string, role: 'latchkey' | 'peer', make: () => Run, targets: readonly Target[] = []) =>
    scenario({ name, role, targets }, async () => {
      const run = make();
      let settled = false;
      const settle = () => {
        settled = true;
      };
      run(() => run(nothing)).then(settle, settle);
      await new Promise((resolve) => setTimeout(resolve, 10));
      return { 'silent hangs': Number(!settled) };
    });
  const ours = (): Run => {
    const mutex = new packages.within.Mutex();
    return (task) => mutex.run(task);
  };
  return {
    title: 'Watch: a lock inside itself',
    shows: 'Nothing else reports a deadlock: the program hangs, or ends with exit code 13.',
    countsOnly: true,
    rounds: 2,
    subjects: [
      hang("latchkey with watch({ deadlocks: 'reject' })", 'latchkey', ours, [
        countAtMost(0, 'silent hangs'),
      ]),
      hang('async-mutex', 'peer', asyncMutex),
      hang('async-lock', 'peer', asyncLock),
      hang('p-limit', 'peer', () => pLimitRun(1)),
      hang('p-queue', 'peer', () => pQueueRun(1)),
      hang('cockatiel', 'peer', () => cockatielBulkhead(1)),
      ...(locks === undefined ? [] : [hang('navigator.locks', 'peer', webLock)]),
    ],
  };
}

/** What the observer adds to a program without a watcher, and what a watcher weighs. */
const sizes: Case = {
  title: 'Watch: size',
  shows: 'Bundled, minified and gzipped.',
  unit: 'bytes',
  time: 'gzipped',
  rounds: 2,
  warmups: 0,
  subjects: [
    sizeOf('Mutex, without an observer', 'floor', "export { Mutex } from './src/index.js';", withoutObserver),
    sizeOf('Mutex', 'latchkey', "export { Mutex } from './src/index.js';"),
    sizeOf(
      'Mutex and watch',
      'latchkey',
      "export { Mutex } from './src/index.js'; export { watch } from './src/watch.js';",
    ),
  ],
};

function sizeOf(name: string, role: 'floor' | 'latchkey', contents: string, cutOut?: CutOut): Subject {
  return { name, role, targets: [], sample: async () => ({ cost: await gzippedBundle(contents, cutOut) }) };
}

export const watching: Suite = {
  name: 'watch',
  async run(measure) {
    await measure(sizes);
    await withPackages(withoutObserver, async (packages) => {
      const off = 'What it costs that a program could be watched, while nobody watches.';
      for (const table of tables(packages, 'off', off, [atMost(1.05, 'floor')])) await measure(table);
      using _watcher = packages.within.watch({ deadlocks: 'reject', onReport: nothing });
      const on = 'What a watcher costs while it is on: a stack and a task per grant.';
      for (const table of tables(packages, 'on', on)) await measure(table);
      await measure(silence(packages));
    });
    await withPackages(withoutStacks, async (packages) => {
      using _within = packages.within.watch({ onReport: nothing });
      using _without = packages.without.watch({ onReport: nothing });
      const stacks = 'What the stacks of a watcher cost, of up to 12 frames each.';
      for (const table of tables(packages, 'on: its stacks', stacks, [], 'without stacks'))
        await measure(table);
    });
  },
};
