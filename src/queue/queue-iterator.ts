/**
 * The iterator of a queue, written by hand: `return()` of an async generator waits for a pending `next()`, which takes one
 * more item and loses it. A generator also awaits the promises that it yields.
 */
interface Batch<T> {
  readonly items: readonly T[];
  done(): void;
}

type Step<T> = IteratorResult<T, undefined>;

/** A consumer that waits for an item. */
interface Wait {
  /** Leaves the queue, and ends the wait. */
  leave(): void;
}

const finished = { done: true, value: undefined } as const;

export class QueueIterator<T> implements AsyncIterableIterator<T> {
  /** One item at once; an empty batch when there will be none; `undefined` when the consumer has to wait. */
  readonly #take: () => Batch<T> | undefined;
  /** Waits for an item in the queue. */
  readonly #join: (onBatch: (batch: Batch<T>) => void) => { leave(): boolean };
  readonly #waits = new Set<Wait>();
  /** Batches whose items the consumer works on. */
  readonly #inHand: Batch<T>[] = [];
  #left = false;

  constructor(
    take: () => Batch<T> | undefined,
    join: (onBatch: (batch: Batch<T>) => void) => { leave(): boolean },
  ) {
    this.#take = take;
    this.#join = join;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step<T>> {
    this.#finishInHand();
    if (this.#left) return Promise.resolve(finished);
    const batch = this.#take();
    if (batch !== undefined) return Promise.resolve(this.#step(batch));
    return new Promise((resolve) => {
      const waiter = this.#join((granted) => {
        this.#waits.delete(wait);
        resolve(this.#step(granted));
      });
      const wait: Wait = {
        leave() {
          waiter.leave();
          resolve(finished);
        },
      };
      this.#waits.add(wait);
    });
  }

  return(): Promise<Step<T>> {
    this.#left = true;
    for (const wait of this.#waits) wait.leave();
    this.#finishInHand();
    return Promise.resolve(finished);
  }

  #step(batch: Batch<T>): Step<T> {
    if (batch.items.length === 0) return finished;
    this.#inHand.push(batch);
    return { done: false, value: batch.items[0] as T };
  }

  #finishInHand(): void {
    for (const batch of this.#inHand.splice(0)) batch.done();
  }
}
