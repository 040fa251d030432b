import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { gatherSettled as gather, littlesLaw } from 'latchkey';
import pLimit from 'p-limit';
import pMap, { pMapSettled } from 'p-map';
import PQueue from 'p-queue';
import pSettle from 'p-settle';
import { burst, scenario } from '../../harness/stopwatch.js';
import type { Case, Counts, Role, Subject, Suite, Target } from '../../harness/subjects.js';
import { asFastAs, atMost, countAtMost, within } from '../../harness/targets.js';
import { fixedConcurrency } from '../../naive/fixed-concurrency.js';
import { promiseAll } from '../../naive/promise-all.js';

type Worker = (item: number) => Promise<unknown>;
type Gather = (items: readonly number[], worker: Worker, concurrency: number) => Promise<unknown>;

const makers: readonly { name: string; role: Role; gather: Gather }[] = [
  { name: 'a hundred loops that keep each result', role: 'floor', gather: loops },
  { name: 'Promise.all of all', role: 'naive', gather: promiseAll },
  { name: 'chunks of five', role: 'naive', gather: fixedConcurrency },
  {
    name: 'latchkey',
    role: 'latchkey',
    gather: (items, worker, concurrency) => gather(items, worker, { concurrency }),
  },
  {
    name: 'p-map',
    role: 'peer',
    gather: (items, worker, concurrency) => pMap(items, worker, { concurrency }),
  },
  { name: 'p-limit', role: 'peer', gather: limited },
  {
    name: 'p-settle',
    role: 'peer',
    gather: (items, mapper, concurrency) => pSettle(items, { mapper, concurrency }),
  },
  { name: 'p-queue', role: 'peer', gather: queued },
];

/** The least that bounds and settles. It cannot be stopped, and reports no progress. */
async function loops(items: readonly number[], worker: Worker, concurrency: number): Promise<unknown> {
  let next = 0;
  const results: unknown[] = [];
  const loop = async () => {
    while (next < items.length) {
      const index = next++;
      const item = items[index]!;
      try {
        results[index] = { status: 'fulfilled', index, item, value: await worker(item) };
      } catch (reason) {
        results[index] = { status: 'rejected', index, item, reason };
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return results;
}

function limited(items: readonly number[], worker: Worker, concurrency: number): Promise<unknown> {
  const limit = pLimit(concurrency);
  return Promise.all(items.map((item) => limit(worker, item)));
}

function queued(items: readonly number[], worker: Worker, concurrency: number): Promise<unknown> {
  const queue = new PQueue({ concurrency });
  return queue.addAll(items.map((item) => () => worker(item)));
}

function tenThousand(what: string, worker: Worker, limit: number): Case {
  const items = Array.from({ length: 10_000 }, (_, i) => i);
  return {
    isCrowd: true,
    title: `gatherSettled: 10,000 items, 100 at a time, ${what}`,
    shows:
      'The cost per item of a batch that can be stopped and reports progress. Promise.all neither bounds nor settles.',
    time: 'per item',
    rounds: 15,
    budgetMs: 800,
    warmups: 2,
    subjects: makers.map(({ name, role, gather: run }) => {
      const targets = role === 'latchkey' ? [atMost(limit, 'floor'), asFastAs(1, 'p-map')] : [];
      return burst({ name, role, targets }, items.length, async () => void (await run(items, worker, 100)));
    }),
  };
}

const failures: Case = {
  title: 'gatherSettled: 1,000 items, 10 of them fail',
  shows:
    'How many of the ten errors the caller sees, what still runs when the promise settles, and how much ran at once.',
  countsOnly: true,
  rounds: 3,
  subjects: [
    observed('Promise.all of all', 'naive', promiseAll, (error) => [error].length),
    observed(
      'latchkey',
      'latchkey',
      async (items, worker) => (await gather(items, worker)).errors.length,
      () => 0,
      [countAtMost(0, 'errors unseen'), countAtMost(0, 'still running'), countAtMost(16, 'peak')],
    ),
    observed(
      'p-map',
      'peer',
      (items, worker) => pMap(items, worker, { concurrency: 16 }),
      (error) => [error].length,
    ),
    observed(
      'p-map, pMapSettled',
      'peer',
      async (items, worker) => rejected(await pMapSettled(items, worker, { concurrency: 16 })),
      () => 0,
    ),
    observed(
      'p-settle',
      'peer',
      async (items, mapper) => rejected(await pSettle(items, { mapper, concurrency: 16 })),
      () => 0,
    ),
  ],
};

function rejected(results: readonly { status: string }[]): number {
  return results.filter(({ status }) => status === 'rejected').length;
}

/** `run` resolves with the number of errors it reports, or rejects with an error that `seen` counts. */
function observed(
  name: string,
  role: Role,
  run: (items: readonly number[], worker: Worker) => Promise<unknown>,
  seen: (error: unknown) => number,
  targets: readonly Target[] = [],
): Subject {
  return scenario({ name, role, targets }, async (): Promise<Counts> => {
    const items = Array.from({ length: 1_000 }, (_, i) => i);
    let running = 0;
    let peak = 0;
    const worker = async (item: number) => {
      peak = Math.max(peak, ++running);
      await immediate();
      if (item % 100 < 50) await immediate();
      running--;
      if (item % 100 === 99) throw new Error(`item ${item}`);
    };
    const errors = await run(items, worker).then(Number, seen);
    return { 'errors unseen': 10 - errors, 'still running': running, peak };
  });
}

const sized: Case = {
  title: 'gatherSettled: 100 calls of 10 ms to be done within 100 ms, every tenth takes 50 ms',
  shows:
    "Five at a time is a guess, and a chunk waits for its slowest item. Little's law gives the right number.",
  rounds: 3,
  subjects: [
    calls('chunks of five', 'naive', fixedConcurrency),
    calls('latchkey, five', 'latchkey', (items, worker) => gather(items, worker, { concurrency: 5 })),
    calls('latchkey, by littlesLaw', 'latchkey', bySize, [within(150), asFastAs(3, 'naive')]),
  ],
};

function calls(
  name: string,
  role: Role,
  run: (items: readonly number[], worker: Worker) => Promise<unknown>,
  targets: readonly Target[] = [],
) {
  const items = Array.from({ length: 100 }, (_, i) => i);
  return scenario(
    { name, role, targets },
    async () => void (await run(items, (i) => sleep(i % 10 === 0 ? 50 : 10))),
  );
}

function bySize(items: readonly number[], worker: Worker): Promise<unknown> {
  const meanMs = 14;
  const concurrency = littlesLaw({ items: items.length, durationMs: meanMs, withinMs: 100 });
  return gather(items, worker, { concurrency });
}

export const gatherSettled: Suite = {
  name: 'gather-settled',
  async run(measure) {
    await measure(failures);
    await measure(sized);
    await measure(tenThousand('a tiny task', async (item) => item, 1.8));
    await measure(tenThousand('a task that waits a setImmediate', () => immediate(), 1.2));
  },
};
