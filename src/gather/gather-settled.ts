/**
 * gatherSettled: runs a worker over every item, a bounded number at a time, and reports how each item ended.
 *
 * Invariants
 *   G1  A worker's failure never rejects the promise; the summary has it, with its item.
 *   G2  total = succeeded + failed + skipped, and `results` are in input order.
 *   G3  An item is pulled from the source only when a worker is free for it (with a `limiter`: when the item before
 *       it has started), so an endless source is safe. An async source is asked for one item at a time.
 *   G4  When the promise settles, no worker runs any more.
 *   G5  Items that are promises are followed from the moment they are seen: one that rejects before its turn is not an
 *       unhandled rejection. The worker still receives the promise itself.
 *
 * Hand-over: a lane that ends its item pulls the next one in the same turn.
 * Cancel: an abort, or `stopWhen`, aborts the workers' signal, starts nothing more, waits for the running workers, and
 *   closes the source, which is waited for unless it owes an item. An abort then rejects with `signal.reason`; a stop
 *   resolves, with the rest skipped.
 * Cost: no promise per item except the worker's own; no memory except the results.
 * What it is not: a stream; see gatherStream.
 * Lineage: Promise.allSettled, which can neither limit nor stop; Python's asyncio.gather, which hides failures.
 */
import { checkFunction } from '../contract/arguments.js';
import { throwIfAborted } from '../waiting/abort-listeners.js';
import {
  type GatherOptions,
  type GatherResult,
  type GatherWorker,
  gatherSettings,
} from './gather-options.js';
import { Lanes, type Outlet } from './lanes.js';

/** The summary of a run. */
export interface Gathered<T, R> {
  total: number;
  succeeded: number;
  failed: number;
  /** Items that never started, as far as they are known: the rest of an array; of other sources, the items pulled. */
  skipped: number;
  /** Share of failures among the items that ended, 0 to 1. */
  failureRate: number;
  /** Milliseconds from the call to the end. */
  durationMs: number;
  /** One entry per item, in input order. */
  results: GatherResult<T, R>[];
  /** The values of the items that succeeded, in input order. */
  values: R[];
  /** The errors of the items that failed, in input order. */
  errors: { index: number; item: T; error: unknown }[];
  /** Every value. @throws AggregateError that holds every error, when there is one. */
  valuesOrThrow(): R[];
}

const defaultConcurrency = 16;

/**
 * Runs `worker` over `items`; resolves with the summary when every started worker has ended.
 *
 * Rejects, after the running workers have ended, with `signal.reason` after an abort, or with the error that the source or
 * a hook threw. A worker's failure never rejects it.
 *
 * @example
 * ```ts
 * import { gatherSettled } from 'latchkey';
 *
 * const half = async (n: number) => {
 *   if (n % 2 === 1) throw new Error(`${n} is odd`);
 *   return n / 2;
 * };
 * const { values, errors } = await gatherSettled([2, 3, 4], half, { concurrency: 2 });
 * console.log(values.join(), errors[0]?.item); // → 1,2 3
 * ```
 */
export function gatherSettled<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  worker: GatherWorker<T, R>,
  options: GatherOptions = {},
): Promise<Gathered<T, R>> {
  try {
    checkFunction('worker', worker);
    const settings = gatherSettings(options);
    throwIfAborted(settings.signal);
    return new Gathering(items, worker, settings).run();
  } catch (refused) {
    return Promise.reject(refused);
  }
}

/** Keeps every outcome, and makes the summary of them. */
class Gathering<T, R> implements Outlet<T, R> {
  readonly untaken = 0;
  readonly #lanes: Lanes<T, R>;
  readonly #results: GatherResult<T, R>[] = [];
  #settle: { resolve(summary: Gathered<T, R>): void; reject(error: unknown): void } | undefined;

  constructor(items: Iterable<T> | AsyncIterable<T>, worker: GatherWorker<T, R>, options: GatherOptions) {
    const { concurrency = options.limiter === undefined ? defaultConcurrency : Infinity } = options;
    this.#lanes = new Lanes(items, worker, { ...options, concurrency }, this);
  }

  run(): Promise<Gathered<T, R>> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#lanes.start();
    });
  }

  put(result: GatherResult<T, R>): void {
    this.#results[result.index] = result;
  }

  end(broken: { readonly error: unknown } | undefined): void {
    if (broken === undefined) this.#settle?.resolve(summary(this.#results, this.#lanes.durationMs));
    else this.#settle?.reject(broken.error);
  }
}

function summary<T, R>(results: GatherResult<T, R>[], durationMs: number): Gathered<T, R> {
  const values: R[] = [];
  const errors: Gathered<T, R>['errors'] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') values.push(result.value);
    else if (result.status === 'rejected') {
      errors.push({ index: result.index, item: result.item, error: result.reason });
    }
  }
  const [total, succeeded, failed] = [results.length, values.length, errors.length];
  return {
    total,
    succeeded,
    failed,
    skipped: total - succeeded - failed,
    failureRate: failed === 0 ? 0 : failed / (succeeded + failed),
    durationMs,
    results,
    values,
    errors,
    valuesOrThrow() {
      if (failed === 0) return values;
      const reasons = errors.map(({ error }) => error);
      throw new AggregateError(reasons, `${failed} of ${succeeded + failed} items failed`);
    },
  };
}
