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
import { checkOptions } from '../contract/arguments.js';
import type { Awaitable, KeyLease, Limiter, WaitOptions } from '../contract/types.js';
import { checkName } from '../remote-locks/key-name.js';
import { checkPlaces, LeaseKeeper } from '../remote-locks/lease-keeper.js';
import { MachineEngine, type MachineLockOptions, noEnd } from './machine-engine.js';

/** Options of `MachineSemaphore`. */
export interface MachineSemaphoreOptions extends MachineLockOptions {
  /** Semaphores of one name and namespace share their places. */
  name: string;
}

const known = { name: true, namespace: true, directory: true } as const;

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
export class MachineSemaphore implements Limiter {
  readonly #keeper: LeaseKeeper<string>;
  readonly #name: string;

  /** @throws TypeError or RangeError that names the option and the value; Error where the system is not Linux. */
  constructor(limit: number, options: MachineSemaphoreOptions) {
    checkPlaces(limit);
    checkOptions(options, known);
    const { name } = options;
    checkName('name', name);
    this.#name = name;
    this.#keeper = new LeaseKeeper(
      this,
      new MachineEngine('semaphore', options, limit),
      String,
      noEnd,
      limit,
    );
  }

  /** Runs `task` in one of the places and settles as the task does. Rejects as `run` of `MachineMutex` does. */
  run<T>(task: (lease: KeyLease<string>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return this.#keeper.run(this.#name, task, options);
  }

  /** Waits for a place; the lease works with `await using`. Rejects as `run` does. */
  acquire(options?: WaitOptions): Promise<KeyLease<string>> {
    return this.#keeper.acquire(this.#name, options);
  }

  /** Gives back all places that this object holds, for a shutdown. A process that ends needs no call. */
  releaseAll(): Promise<void> {
    return this.#keeper.releaseAll();
  }
}
