/**
 * "When the cached price list expires, every replica rebuilds it at once. Each rebuild takes the database ten seconds."
 *
 * In each process, all callers share one refresh. One process gets the lock and rebuilds; the others wait, and find the new
 * entry. A second rebuild would only waste work, so a lock on Redis is enough.
 */
import type { RedisMutex } from 'latchkey/redis';
import { SingleFlight } from 'latchkey/single-flight';

export interface Store {
  get(key: string): Promise<string | null>;
  /** Must give the entry a time to live, so that it expires. */
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

  /** Rejects with the error of `rebuild` or of Redis. The signal of `rebuild` aborts when the lock is lost. */
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
