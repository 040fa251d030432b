/**
 * Measures the tables of 10,000 at once again, without garbage collections: the young generation is larger than the garbage of
 * a sample. Compared with the normal tables, this separates the cost of the package from the cost of the collector.
 */

import type { Suite } from '../../harness/subjects.js';
import { gatherSettled } from '../gather/gather-settled.bench.js';
import { semaphore } from '../locks/semaphore.bench.js';

/** Both: the larger one alone is not used before the smaller one has grown. */
export const roomyHeap = ['--min-semi-space-size=128', '--max-semi-space-size=128'];

export const crowds: Suite = {
  name: 'crowds',
  onDemand: true,
  reported: true,
  nodeFlags: roomyHeap,
  async run(measure, flags) {
    for (const suite of [semaphore, gatherSettled]) {
      await suite.run(async (table) => {
        if (table.isCrowd) await measure({ ...table, title: `${table.title}, without the collector` });
      }, flags);
    }
  },
};
