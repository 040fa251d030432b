/**
 * "The price list is rebuilt by every replica at once, each time the cache runs out. It takes the database ten seconds."
 *
 * In each process one caller asks for all, and of all processes one rebuilds: the others wait, and find what it has made. Twice
 * would not be wrong, only dear: a lock on Redis is the right one.
 */
import type { RedisMutex } from 'latchkey/redis';
import { SingleFlight } from 'latchkey/single-flight';

export interface Store {
  get(key: string): Promise<string | null>;
  /** With a time to live: it is what makes the entry run out. */
  set(key: string, value: string): Promise<unknown>;
}

export class SharedCache {
  readonly #store: Store;
  readonly #locks: RedisMutex;
  readonly #flights = new SingleFlight<string, string>();

  constructor(store: Store, locks: RedisMutex) {
    this.#store = store;
    this.#locks = locks;
  }

  /** Rejects with what `rebuild` or Redis threw. The signal of `rebuild` aborts when the lock is lost. */
  async get(key: string, rebuild: (signal: AbortSignal) => Promise<string>): Promise<string> {
    const value = await this.#store.get(key);
    return value ?? this.#flights.run(key, (signal) => this.#refresh(key, rebuild, signal));
  }

  #refresh(key: string, rebuild: (signal: AbortSignal) => Promise<string>, signal: AbortSignal) {
    const task = async (lease: { signal: AbortSignal }) => {
      const others = await this.#store.get(key);
      if (others !== null) return others;
      const rebuilt = await rebuild(lease.signal);
      await this.#store.set(key, rebuilt);
      return rebuilt;
    };
    return this.#locks.run(key, task, { signal });
  }
}
