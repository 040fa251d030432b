/** Pulls items from an iterable or an async iterable, through one interface. */
import { printable } from '../contract/errors.js';

export interface ItemSource<T> {
  /** How many items there are, where that is known in advance. */
  readonly total: number | undefined;
  /** An async source returns a promise. It is asked for one item at a time: not every async iterator allows two calls at once. */
  next(): IteratorResult<T, unknown> | Promise<IteratorResult<T, unknown>>;
  /** Ends the wait for an item: the run was stopped. */
  stop(): void;
  /** Calls the iterator's `return`, unless it has ended by itself. */
  close(): Promise<unknown> | undefined;
}

export function itemSource<T>(items: Iterable<T> | AsyncIterable<T>): ItemSource<T> {
  const { length, size } = Object(items) as { length?: number; size?: number };
  const isList = Array.isArray(items) || items instanceof Set;
  const total = Array.isArray(items) ? length : isList || items instanceof Map ? size : undefined;
  if (isList) for (const item of items as Iterable<T>) follow(item);
  if (typeof (items as AsyncIterable<T> | undefined)?.[Symbol.asyncIterator] === 'function') {
    return new AsyncSource((items as AsyncIterable<T>)[Symbol.asyncIterator]());
  }
  if (typeof (items as Iterable<T> | undefined)?.[Symbol.iterator] === 'function') {
    return new SyncSource((items as Iterable<T>)[Symbol.iterator](), total);
  }
  throw new TypeError(`items must be an iterable or an async iterable, got ${printable(items)}`);
}

const finished = { done: true, value: undefined } as const;

/**
 * Keeps a promise that rejects before its turn from being an unhandled rejection. Only `then` of the language itself is
 * called: the `then` of a subclass or of a thenable may begin work.
 */
function follow(item: unknown): void {
  if (typeof item !== 'object' || item === null) return;
  try {
    // A promise of another realm, as Node's own modules make them under Jest, is no instance of this Promise.
    if (item instanceof Promise || typeof (item as { then?: unknown }).then === 'function') {
      Promise.prototype.then.call(item, undefined, () => {});
    }
  } catch {
    // A thenable, or an object that throws when it is read.
  }
}

/** Follows `for...of`: a step must be an object, and a truthy `done` ends it. */
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
    // An iterator that throws has ended too.
    const ended = this.#ended;
    this.#ended = true;
    if (ended) return finished;
    const step = this.#iterator.next();
    this.#ended = isLast(step);
    if (this.#ended) return finished;
    follow(step.value);
    return step;
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
      if (this.#ended) return finished;
      follow(step.value);
      return step;
    } catch (error) {
      this.#ended = true;
      throw error;
    } finally {
      this.#owesItem = false;
    }
  }

  /** A source that has not answered `next()` yet must not keep a stopped run from ending. */
  stop(): void {
    this.#giveUpPull?.();
  }

  close(): Promise<unknown> | undefined {
    if (this.#ended) return undefined;
    const closing = Promise.resolve(this.#iterator.return?.());
    if (!this.#owesItem) return closing;
    // An async generator returns only after it has given the item that it owes, which may never come.
    closing.catch(() => {});
    return undefined;
  }
}
