// Where: services in which "the pool must not race", and which put one async lock around look-up, connect and insert.
// Cost: the lock is held while connecting, so 100 hosts are dialled one after another, and one dead host stops all.
export interface GlobalLockPoolOptions<C, K> {
  max: number;
  connect(key: K): Promise<C>;
  close(connection: C): Promise<void>;
}

export class GlobalLockPool<C, K> {
  readonly #options: GlobalLockPoolOptions<C, K>;
  readonly #idle: { key: K; connection: C }[] = [];
  #total = 0;
  #lock: Promise<unknown> = Promise.resolve();

  constructor(options: GlobalLockPoolOptions<C, K>) {
    this.#options = options;
  }

  async use<T>(key: K, task: (connection: C) => Promise<T>): Promise<T> {
    const connection = await this.#locked(() => this.#take(key));
    try {
      return await task(connection);
    } finally {
      this.#idle.push({ key, connection });
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(({ connection }) => this.#options.close(connection)));
  }

  async #take(key: K): Promise<C> {
    for (;;) {
      const found = this.#idle.findLastIndex((candidate) => candidate.key === key);
      if (found >= 0) return this.#idle.splice(found, 1)[0]!.connection;
      if (this.#total < this.#options.max) break;
      const other = this.#idle.shift();
      if (other === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
      else {
        await this.#options.close(other.connection);
        this.#total--;
      }
    }
    this.#total++;
    try {
      return await this.#options.connect(key);
    } catch (error) {
      this.#total--;
      throw error;
    }
  }

  #locked<T>(section: () => Promise<T>): Promise<T> {
    const result = this.#lock.then(section);
    this.#lock = result.catch(() => {});
    return result;
  }
}
