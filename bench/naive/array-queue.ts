// Where: the semaphore of most tutorials, with an array of resolvers as its queue and a listener per waiter.
// Cost: an aborted waiter is searched for, O(n); every waiter adds a listener to the signal; shift() moves the array.
interface Waiter {
  resolve(): void;
}

export class ArrayQueueSemaphore {
  readonly #limit: number;
  readonly #waiters: Waiter[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.acquire(signal);
    try {
      return await task();
    } finally {
      this.release();
    }
  }

  acquire(signal?: AbortSignal): Promise<void> {
    if (this.#held < this.#limit) {
      this.#held++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve };
      this.#waiters.push(waiter);
      signal?.addEventListener('abort', () => {
        const place = this.#waiters.indexOf(waiter);
        if (place < 0) return;
        this.#waiters.splice(place, 1);
        reject(signal.reason);
      });
    });
  }

  release(): void {
    const next = this.#waiters.shift();
    if (next === undefined) this.#held--;
    else next.resolve();
  }
}
