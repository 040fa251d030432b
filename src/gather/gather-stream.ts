/**
 * gatherStream: runs a worker over every item, a bounded number at a time, and gives each outcome as an async iterable.
 *
 * Invariants
 *   GS1  Every item that was pulled has exactly one outcome, and no outcome is given twice.
 *   GS2  `order: 'input'` gives the outcomes in the order of the items; 'completion' as the workers end.
 *   GS3  Back-pressure: the items at work and the outcomes that are ready but not taken are together at most `concurrency`.
 *   GS4  Leaving the loop (`break`, `return`, a throw) aborts the workers' signal, waits for the running workers, and
 *        closes the source: after it no worker runs.
 *   GS5  After an abort, or an error of the source or of a hook, the ready outcomes are given first; then the iterable
 *        rejects once, with that error. A worker's failure is an outcome, and never rejects it.
 *
 * Hand-over: an outcome goes to the oldest waiting `next()` in the turn in which it is ready.
 * Cancel: an abort of `signal` acts as in gatherSettled. No worker starts before the first `next()`.
 * Cost: one promise per `next()`; memory for `concurrency` outcomes.
 * What it is not: a summary; see gatherSettled. Lineage: p-map's pMapIterable; Rust's buffered and buffer_unordered.
 */
import { checkFunction, type OptionNames } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import {
  type GatherOptions,
  type GatherResult,
  type GatherWorker,
  gatherOptionNames,
  gatherSettings,
} from './gather-options.js';
import { Lanes, type Outlet } from './lanes.js';

export interface GatherStreamOptions extends GatherOptions {
  /** The most items at work or not yet taken. Default 16, with a `limiter` too. */
  concurrency?: number | undefined;
  /** 'input': in the order of the items. 'completion': as the workers end. Default 'input'. */
  order?: 'input' | 'completion' | undefined;
}

const optionNames: OptionNames<GatherStreamOptions> = { ...gatherOptionNames, order: true };
const defaultConcurrency = 16;

/**
 * Runs `worker` over `items`, and gives the outcomes while the work goes on. It can be iterated once.
 *
 * The iteration rejects with `signal.reason` after an abort, or with the error that the source or a hook threw.
 * @throws TypeError or RangeError that names the option and the value.
 *
 * @example
 * ```ts
 * import { gatherStream } from 'latchkey';
 *
 * const square = async (n: number) => n * n;
 * const squares: number[] = [];
 * for await (const outcome of gatherStream([1, 2, 3], square, { concurrency: 2 })) {
 *   if (outcome.status === 'fulfilled') squares.push(outcome.value);
 * }
 * console.log(squares.join()); // → 1,4,9
 * ```
 */
export function gatherStream<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  worker: GatherWorker<T, R>,
  options: GatherStreamOptions = {},
): AsyncIterableIterator<GatherResult<T, R>> {
  checkFunction('worker', worker);
  const settings = gatherSettings(options, optionNames);
  const { order = 'input' } = options;
  if (order !== 'input' && order !== 'completion') {
    throw new TypeError(`order must be 'input' or 'completion', got ${printable(order)}`);
  }
  return new GatherStream(items, worker, settings, order);
}

type Step<T, R> = IteratorResult<GatherResult<T, R>, undefined>;

class GatherStream<T, R> implements AsyncIterableIterator<GatherResult<T, R>>, Outlet<T, R> {
  readonly #lanes: Lanes<T, R>;
  readonly #order: 'input' | 'completion';
  /** The outcomes that are ready, by the position in which they are given. */
  readonly #ready = new Map<number, GatherResult<T, R>>();
  readonly #takers: { resolve(step: Step<T, R>): void; reject(error: unknown): void }[] = [];
  #put = 0;
  #given = 0;
  #started = false;
  #left = false;
  #ended = false;
  #broken: { readonly error: unknown } | undefined;

  constructor(
    items: Iterable<T> | AsyncIterable<T>,
    worker: GatherWorker<T, R>,
    options: GatherOptions,
    order: 'input' | 'completion',
  ) {
    const { concurrency = defaultConcurrency } = options;
    this.#order = order;
    this.#lanes = new Lanes(items, worker, { ...options, concurrency }, this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step<T, R>> {
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
      this.#start();
      this.#give();
    });
  }

  return(): Promise<Step<T, R>> {
    this.#left = true;
    this.#ready.clear();
    this.#lanes.stop(new DOMException('the consumer has left the stream', 'AbortError'));
    return this.next();
  }

  get untaken(): number {
    return this.#ready.size;
  }

  put(result: GatherResult<T, R>): void {
    if (this.#left) return;
    this.#ready.set(this.#order === 'input' ? result.index : this.#put++, result);
    this.#give();
  }

  end(broken: { readonly error: unknown } | undefined): void {
    this.#ended = true;
    this.#broken = broken;
    this.#give();
  }

  #start(): void {
    if (this.#started) {
      this.#lanes.openLanes();
      return;
    }
    this.#started = true;
    this.#lanes.start();
  }

  /** Gives what is ready to the callers of `next()`, then the error, then the end. */
  #give(): void {
    const givenBefore = this.#given;
    while (this.#takers.length > 0) {
      const result = this.#ready.get(this.#given);
      if (result === undefined && !this.#ended) break;
      const { resolve, reject } = this.#takers.shift()!;
      if (result !== undefined) {
        this.#ready.delete(this.#given++);
        resolve({ done: false, value: result });
      } else if (this.#broken !== undefined) {
        reject(this.#broken.error);
        this.#broken = undefined;
      } else resolve({ done: true, value: undefined });
    }
    if (this.#given > givenBefore) this.#lanes.openLanes();
  }
}
