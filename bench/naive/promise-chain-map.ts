// Where: the keyed mutex of countless gists and answers. One promise chain per key, kept in a Map.
// Cost: a key is never forgotten, so the Map grows with every user, order or file the process has ever seen.
export class PromiseChainMap<K> {
  readonly #chains = new Map<K, Promise<unknown>>();

  get size(): number {
    return this.#chains.size;
  }

  run<T>(key: K, task: () => Promise<T>): Promise<T> {
    const previous = this.#chains.get(key) ?? Promise.resolve();
    const result = previous.then(task, task);
    this.#chains.set(key, result);
    return result;
  }
}
