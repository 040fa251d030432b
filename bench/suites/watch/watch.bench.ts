/** The cost of `latchkey/watch`, off and on, compared with a copy of the package from which it was cut out. */
import {
  type CutOut,
  cutOutCase,
  type MakeSubject,
  mutexCrowd,
  type Packages,
  withPackages,
} from '../../harness/cut-out.js';
import { operation } from '../../harness/stopwatch.js';
import type { Case, Suite, Target } from '../../harness/subjects.js';
import { atMost } from '../../harness/targets.js';

const withoutObserver: CutOut = {
  file: /src.runtime.observer\.ts$/,
  contents: 'export const observer = undefined, observe = () => {};',
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

function tables(packages: Packages, state: string, shows: string, targets: readonly Target[]): Case[] {
  return Object.entries(works).map(([work, makeSubject]) =>
    cutOutCase(packages, makeSubject, {
      title: `Watch: ${work}, ${state}`,
      shows,
      floor: 'without an observer',
      targets,
    }),
  );
}

export const watching: Suite = {
  name: 'watch',
  run: (measure) =>
    withPackages(withoutObserver, async (packages) => {
      const off = 'What it costs that a program could be watched, while nobody watches.';
      for (const table of tables(packages, 'off', off, [atMost(1.05, 'floor')])) await measure(table);
      using _watcher = packages.within.watch({ onReport: nothing });
      const on = 'What a watcher costs while it is on: a stack and a task per grant.';
      for (const table of tables(packages, 'on', on, [])) await measure(table);
    }),
};
