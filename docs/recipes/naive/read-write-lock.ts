import { setTimeout as sleep } from 'node:timers/promises';

/** A flag that readers check: with one thread, nothing seems to happen in between. */
export class ReadWriteFlag {
  #isWriting = false;

  async read<T>(task: () => Promise<T>): Promise<T> {
    while (this.#isWriting) await sleep(1);
    return task();
  }

  async write<T>(task: () => Promise<T>): Promise<T> {
    this.#isWriting = true;
    try {
      return await task();
    } finally {
      this.#isWriting = false;
    }
  }
}
