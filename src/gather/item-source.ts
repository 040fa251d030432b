/** Where items are pulled from: an iterable or an async iterable, behind one face. */
import { printable } from '../contract/errors.js';

export interface ItemSource<T> {
  /** How many items there are, where that is known beforehand. */
  readonly total: number | undefined;
  /** A promise from an async source: one item at a time, for not every async iterator bears to be asked twice at once. */
  next(): IteratorResult<T, unknown> | Promise<IteratorResult<T, unknown>>;
  /** Nobody waits for an item any more. */
  stop(): void;
  /** Tells the iterator that no more is asked of it, unless it has ended by itself. */
  close(): Promise<unknown> | undefined;
}

export function itemSource<T>(items: Iterable<T> | AsyncIterable<T>): ItemSource<T> {
  const { length, size } = Object(items) as { length?: number; size?: number };
  const total = Array.isArray(items)
    ? length
    : items instanceof Set || items instanceof Map
      ? size
      : undefined;
  if (typeof (items as AsyncIterable<T> | undefined)?.[Symbol.asyncIterator] === 'function') {
    return new AsyncSource((items as AsyncIterable<T>)[Symbol.asyncIterator]());
  }
  if (typeof (items as Iterable<T> | undefined)?.[Symbol.iterator] === 'function') {
    return new SyncSource((items as Iterable<T>)[Symbol.iterator](), total);
  }
  throw new TypeError(`items must be an iterable or an async iterable, got ${printable(items)}`);
}

const finished = { done: true, value: undefined } as const;

/** As `for…of` has it: steps are objects, and `done` need only be truthy. Otherwise a source would never end. */
function isLast(step: IteratorResult<unknown, unknown>): boolean {
  if (typeof step === 'object' && step !== null) return Boolean(step.done);
  throw new TypeError(`items must be iterable: next() must give an object, got ${printable(step)}`);
}

class SyncSource<T> implements ItemSource<T> {
  readonly total: number | undefined;
  readonly #iterator: Iterator<T, unknown>;
  #ended = false;

  constructor(iterator: Iterator<T, unknown>, total: number | undefined) {
    this.#iterator = iterator;
    this.total = total;
  }

  next(): IteratorResult<T, unknown> {
    // One that throws has ended too; it is asked nothing more.
    const ended = this.#ended;
    this.#ended = true;
    if (ended) return finished;
    const step = this.#iterator.next();
    this.#ended = isLast(step);
    return this.#ended ? finished : step;
  }

  stop(): void {}

  close(): undefined {
    if (!this.#ended) this.#iterator.return?.();
  }
}

export class AsyncSource<T> implements ItemSource<T> {
  readonly total = undefined;
  readonly #iterator: AsyncIterator<T, unknown>;
  #ended = false;
  #owesItem = false;
  #giveUpPull: (() => void) | undefined;

  constructor(iterator: AsyncIterator<T, unknown>) {
    this.#iterator = iterator;
  }

  next(): Promise<IteratorResult<T, unknown>> {
    return new Promise((resolve, reject) => {
      this.#giveUpPull = () => resolve(finished);
      this.#pull().then(resolve, reject);
    });
  }

  async #pull(): Promise<IteratorResult<T, unknown>> {
    this.#owesItem = true;
    try {
      const step = await this.#iterator.next();
      this.#ended = isLast(step);
      return this.#ended ? finished : step;
    } catch (error) {
      this.#ended = true;
      throw error;
    } finally {
      this.#owesItem = false;
    }
  }

  /** A source that has nothing to give for now must not keep a stopped run from ending. */
  stop(): void {
    this.#giveUpPull?.();
  }

  close(): Promise<unknown> | undefined {
    if (this.#ended) return undefined;
    const closing = Promise.resolve(this.#iterator.return?.());
    if (!this.#owesItem) return closing;
    // An async generator returns only after it has given the item it owes, which may be never.
    closing.catch(() => {});
    return undefined;
  }
}
