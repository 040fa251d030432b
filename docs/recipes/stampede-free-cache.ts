/**
 * "When the entry of the front page expired, four hundred requests rebuilt it at once, and the database went down."
 *
 * Callers that arrive while a key is loading share that load. A caller that cancels does not end it for the others. A failed
 * load is not cached.
 */
import { SingleFlight } from 'latchkey/single-flight';
import { LRUCache } from 'lru-cache';

export class Cache<V extends object> {
  readonly #values: LRUCache<string, V>;
  readonly #loads = new SingleFlight<string, V>();
  readonly #load: (key: string, signal: AbortSignal) => Promise<V>;

  constructor(load: (key: string, signal: AbortSignal) => Promise<V>, options: { max: number; ttl: number }) {
    this.#load = load;
    this.#values = new LRUCache(options);
  }

  get(key: string, signal?: AbortSignal): Promise<V> {
    const value = this.#values.get(key);
    if (value !== undefined) return Promise.resolve(value);
    const load = async (loadSignal: AbortSignal) => {
      const loaded = await this.#load(key, loadSignal);
      // A load that every caller has left may finish late, after a newer one.
      if (!loadSignal.aborted) this.#values.set(key, loaded);
      return loaded;
    };
    return this.#loads.run(key, load, { signal });
  }
}
