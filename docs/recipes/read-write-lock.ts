/**
 * "Reloading the rules must wait for all requests that use them, and no request may see half of them."
 *
 * A semaphore with weights is a read/write lock: a reader has weight one, a writer has the weight of all readers. It serves first
 * come, first served, so a stream of readers does not starve a writer.
 */
import { type Awaitable, Semaphore, type WaitOptions } from 'latchkey';

export class ReadWriteLock {
  readonly #readers: number;
  readonly #semaphore: Semaphore;

  /** `readers`: how many may read at once. */
  constructor(readers = 1_000) {
    this.#readers = readers;
    this.#semaphore = new Semaphore(readers);
  }

  read<T>(task: () => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return this.#semaphore.run(task, options);
  }

  write<T>(task: () => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return this.#semaphore.run(task, { ...options, weight: this.#readers });
  }
}
