// Where: the usual repair of the global lock. Look, connect outside the lock, look again, drop the loser.
// Cost: nobody asks how many dials a key needs, so 100 requests to a cold host dial 100 times and drop 99. No bound.
export interface ThreePhasePoolOptions<C, K> {
  connect(key: K): Promise<C>;
  close(connection: C): Promise<void>;
}

export class ThreePhasePool<C, K> {
  readonly #options: ThreePhasePoolOptions<C, K>;
  readonly #connections = new Map<K, C>();

  constructor(options: ThreePhasePoolOptions<C, K>) {
    this.#options = options;
  }

  async use<T>(key: K, task: (connection: C) => Promise<T>): Promise<T> {
    return task(await this.#get(key));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connection) => this.#options.close(connection)));
    this.#connections.clear();
  }

  async #get(key: K): Promise<C> {
    const existing = this.#connections.get(key);
    if (existing !== undefined) return existing;

    const mine = await this.#options.connect(key);

    const winner = this.#connections.get(key);
    if (winner === undefined) {
      this.#connections.set(key, mine);
      return mine;
    }
    await this.#options.close(mine);
    return winner;
  }
}
