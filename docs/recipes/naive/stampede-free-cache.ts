import { LRUCache } from 'lru-cache';

/** The code of every cache's manual: look it up, else load it and put it in. */
export class Cache<V extends object> {
  readonly #values: LRUCache<string, V>;
  readonly #load: (key: string) => Promise<V>;

  constructor(load: (key: string) => Promise<V>, options: { max: number; ttl: number }) {
    this.#load = load;
    this.#values = new LRUCache(options);
  }

  async get(key: string): Promise<V> {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const value = await this.#load(key);
    this.#values.set(key, value);
    return value;
  }
}
