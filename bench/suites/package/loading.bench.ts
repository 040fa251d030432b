/** The time of `import()` in a fresh process: command-line tools and cold starts of serverless functions pay it each time. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Case, Role, Sample, Subject, Suite } from '../../harness/subjects.js';
import { atMost } from '../../harness/targets.js';

const file = fileURLToPath(new URL('loaded.process.js', import.meta.url));

const sixPackages = ['async-mutex', 'async-sema', 'generic-pool', 'p-limit', 'p-map', 'p-retry'];
const together = 'six packages for a part of it';

/** The goal for `latchkey` is that of 5 ms on a machine where the six packages took 7.6. */
const table: Case = {
  title: 'Loading: import() in a fresh process',
  shows: `What a cold start pays. The six are ${sixPackages.join(', ')}.`,
  rounds: 15,
  budgetMs: Infinity,
  subjects: [
    load('an empty module', 'floor', ['data:text/javascript,export {}']),
    { ...load('latchkey', 'latchkey', ['latchkey']), targets: [atMost(0.66, together)] },
    load(together, 'peer', sixPackages),
  ],
};

function load(name: string, role: Role, packages: readonly string[]): Subject {
  const sample = async () => {
    const child = fork(file, packages, { execArgv: [...process.execArgv, '--expose-gc'] });
    const [loaded] = (await once(child, 'message')) as [Sample];
    return loaded;
  };
  return { name, role, sample };
}

export const loading: Suite = {
  name: 'loading',
  onDemand: true,
  reported: true,
  run: (measure) => measure(table),
};
