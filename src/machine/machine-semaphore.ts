/**
 * MachineSemaphore: at most `limit` holders at a time, over all processes and worker threads of one user on one machine. It is
 * `limit` names instead of one.
 *
 * Invariants: those of MachineMutex for each place, and
 *   MC11  At most `limit` hold a place. If processes give different limits, the largest counts.
 *
 * Hand-over, Cancel: as MachineMutex; a waiter stands in the queues of all places.
 * Cost: `limit` attempts to bind when all places are taken, and `limit` connections per waiting process.
 * What it is not: weighted, or adaptive. Lineage: as MachineMutex.
 */
import { checkOptions, type OptionNames } from '../contract/arguments.js';
import { checkName } from '../remote-locks/key-name.js';
import { checkPlaces } from '../remote-locks/lease-options.js';
import { RemoteSemaphore } from '../remote-locks/remote-lock.js';
import { MachineEngine, type MachineLockOptions, machineOptionNames, withoutEnd } from './machine-engine.js';

/** Options of `MachineSemaphore`. */
export interface MachineSemaphoreOptions extends MachineLockOptions {
  /** Semaphores of one name and namespace share their places. */
  name: string;
}

const optionNames: OptionNames<MachineSemaphoreOptions> = { ...machineOptionNames, name: true };

/**
 * At most `limit` holders at a time, among all processes and worker threads of this user on this machine that give the same
 * name. Needs Linux, and no server. The place of a process that ends, in whatever way, is free at once.
 *
 * @example
 * ```ts
 * import { MachineSemaphore } from 'latchkey/machine';
 *
 * const gpu = new MachineSemaphore(2, { name: 'gpu', namespace: 'example-semaphore' });
 * const jobs = ['a', 'b', 'c'].map((job) => gpu.run(() => job.toUpperCase()));
 * console.log((await Promise.all(jobs)).join(' ')); // → A B C
 * ```
 */
export class MachineSemaphore extends RemoteSemaphore {
  /** @throws TypeError or RangeError that names the option and the value; Error where the system is not Linux. */
  constructor(limit: number, options: MachineSemaphoreOptions) {
    checkPlaces(limit);
    checkOptions(options, optionNames);
    const { name } = options;
    checkName('name', name);
    super(new MachineEngine('semaphore', options, limit), limit, name, withoutEnd(options));
  }
}
