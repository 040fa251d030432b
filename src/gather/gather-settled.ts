/**
 * gatherSettled: runs a worker over every item, so many at a time, and tells of each how it ended.
 *
 * Invariants
 *   G1  A worker's failure never rejects the whole; it stands in the summary, with its item.
 *   G2  total = succeeded + failed + skipped, and `results` are in input order.
 *   G3  An item is pulled from the source only when a worker is free for it (with a `limiter`: when the item before
 *       it has started), so an endless source is safe. An async source is asked for one item at a time.
 *   G4  When the promise settles, no worker runs any more.
 *
 * Cancel: an abort, or `stopWhen`, aborts the workers' signal, starts nothing more, waits for those that run, and
 *   closes the source, which is waited for unless it owes an item. An abort then rejects with `signal.reason`; a stop resolves, with the rest skipped.
 * Cost: no promise per item beyond the worker's own; no memory beyond the results.
 * Lineage: Promise.allSettled, which can neither limit nor stop; Python's asyncio.gather, which hides failures.
 */
import { decide, directly, notify } from '../calling/listeners.js';
import { checkFunction, checkLimit, checkObject, checkSignal } from '../contract/arguments.js';
import type { Awaitable, Limiter } from '../contract/types.js';
import { channel } from '../runtime/channels.js';
import { now } from '../runtime/clock.js';
import { type Abortable, onAbort } from '../waiting/abort-listeners.js';
import type { Link } from '../waiting/linked-list.js';
import { AsyncSource, type ItemSource, itemSource } from './item-source.js';

export interface GatherProgress {
  /** How many items there are, where the source tells. */
  total?: number;
  started: number;
  succeeded: number;
  failed: number;
}

/** What `stopWhen` throws ends the run, as an error of the source does. */
export interface GatherOptions {
  /** Workers at a time. Default 16, or unbounded where a `limiter` decides. */
  concurrency?: number | undefined;
  /** Runs each worker: a semaphore, shared with others. */
  limiter?: Limiter | undefined;
  signal?: AbortSignal | undefined;
  /** Asked after each item whether to stop, for instance `(progress) => progress.failed > 0`. */
  stopWhen?: ((progress: GatherProgress) => boolean) | undefined;
  /** Called after each item. What it throws or rejects with is ignored. */
  onProgress?: ((progress: GatherProgress) => void) | undefined;
}

export type GatherResult<T, R> =
  | { status: 'fulfilled'; index: number; item: T; value: R }
  | { status: 'rejected'; index: number; item: T; reason: unknown }
  | { status: 'skipped'; index: number; item: T };

export interface Gathered<T, R> {
  total: number;
  succeeded: number;
  failed: number;
  /** Items never started, as far as they are known: the rest of an array; of other sources, what had been pulled. */
  skipped: number;
  /** Share of failures among the items that ended, 0 to 1. */
  failureRate: number;
  durationMs: number;
  results: GatherResult<T, R>[];
  /** Of the items that succeeded, in input order. */
  values: R[];
  errors: { index: number; item: T; error: unknown }[];
  /** Every value, or an AggregateError that holds every error. */
  valuesOrThrow(): R[];
}

type Worker<T, R> = (item: T, context: { index: number; signal: AbortSignal }) => Awaitable<R>;

const defaultConcurrency = 16;

/**
 * Runs `worker` over `items`; resolves with the summary when every started worker has ended.
 *
 * Rejects, after the running workers have ended, with `signal.reason` after an abort, or with what the source or
 * a hook threw. A worker's failure never rejects it.
 */
export function gatherSettled<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  worker: Worker<T, R>,
  options: GatherOptions = {},
): Promise<Gathered<T, R>> {
  try {
    checkFunction('worker', worker);
    return new Gathering(items, worker, gatherSettings(options)).run();
  } catch (refused) {
    return Promise.reject(refused);
  }
}

/** The options as they are now: whoever changes them while it runs changes nothing. */
function gatherSettings(options: GatherOptions): GatherOptions {
  checkObject('options', options);
  const { concurrency, limiter, signal, stopWhen, onProgress } = options;
  if (concurrency !== undefined) checkLimit('concurrency', concurrency);
  if (limiter !== undefined) {
    checkObject('limiter', limiter);
    checkFunction('limiter.run', limiter.run);
  }
  if (stopWhen !== undefined) checkFunction('stopWhen', stopWhen);
  if (onProgress !== undefined) checkFunction('onProgress', onProgress);
  if (signal !== undefined) {
    checkSignal('signal', signal);
    if (signal.aborted) throw signal.reason;
  }
  return { concurrency, limiter, signal, stopWhen, onProgress };
}

/** On the channel `latchkey:gather`: a run has ended, without an error of its source and without an abort. */
export type GatherMessage = Readonly<
  Pick<Gathered<never, never>, 'total' | 'succeeded' | 'failed' | 'skipped' | 'durationMs'>
>;

const gatherings = channel<GatherMessage>('latchkey:gather');

class Gathering<T, R> {
  readonly #source: ItemSource<T>;
  readonly #worker: Worker<T, R>;
  readonly #options: GatherOptions;
  readonly #maxLanes: number;
  readonly #controller = new AbortController();
  /** Each item's stands there when no lane has it any more. */
  readonly #results: GatherResult<T, R>[] = [];
  #pulled = 0;
  readonly #progress: GatherProgress = { started: 0, succeeded: 0, failed: 0 };
  readonly #startedMs = now();
  /** Whether each item has a lane of its own, opened by the item before it (G3), instead of lanes that pull again. */
  readonly #laneEach: boolean;
  /** Lanes that run a worker or look for an item, and how many more may be opened. */
  #lanes = 0;
  #lanesToOpen: number;
  #opening = false;
  #exhausted = false;
  #stopped = false;
  #broken: { readonly error: unknown } | undefined;
  #settle: { resolve(summary: Gathered<T, R>): void; reject(error: unknown): void } | undefined;
  #subscription: Link<Abortable> | undefined;

  constructor(items: Iterable<T> | AsyncIterable<T>, worker: Worker<T, R>, options: GatherOptions) {
    this.#source = itemSource(items);
    this.#worker = worker;
    this.#options = options;
    this.#maxLanes = options.concurrency ?? (options.limiter === undefined ? defaultConcurrency : Infinity);
    this.#laneEach = options.limiter !== undefined || this.#source instanceof AsyncSource;
    this.#lanesToOpen = this.#laneEach ? 1 : this.#maxLanes;
    if (this.#source.total !== undefined) this.#progress.total = this.#source.total;
  }

  run(): Promise<Gathered<T, R>> {
    const { signal } = this.#options;
    this.#subscription = signal && onAbort(signal, { onAbort: (reason) => this.#break(reason) });
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#openLanes();
    });
  }

  #openNextLane(): void {
    this.#lanesToOpen++;
    this.#openLanes();
  }

  /** A loop, not a recursion: an item that starts at once opens the next lane from within this one. */
  #openLanes(): void {
    if (this.#opening) return;
    this.#opening = true;
    while (this.#lanesToOpen > 0 && this.#lanes < this.#maxLanes && !this.#exhausted && !this.#stopped) {
      this.#lanesToOpen--;
      this.#lanes++;
      this.#lane();
    }
    this.#opening = false;
    if (this.#lanes === 0) this.#finish();
  }

  async #lane(): Promise<void> {
    const { limiter } = this.#options;
    try {
      do {
        const step = this.#source.next();
        const next = step instanceof Promise ? await step : step;
        if (next.done === true) {
          this.#exhausted = true;
          break;
        }
        const item = next.value;
        const index = this.#pulled++;
        if (this.#laneEach && limiter === undefined) this.#openNextLane();
        if (this.#stopped) {
          this.#skip(index, item);
          break;
        }
        try {
          const context = { index, signal: this.#controller.signal };
          const value = await (limiter === undefined
            ? this.#start(item, context)
            : this.#startLimited(item, context, limiter));
          this.#results[index] = { status: 'fulfilled', index, item, value };
          this.#progress.succeeded++;
        } catch (reason) {
          if (reason === neverStarted) {
            this.#skip(index, item);
            break;
          }
          this.#results[index] = { status: 'rejected', index, item, reason };
          this.#progress.failed++;
        }
        this.#report();
      } while (!this.#laneEach && !this.#stopped);
    } catch (error) {
      this.#break(error);
    }
    this.#lanes--;
    this.#openLanes();
  }

  #start(item: T, context: { index: number; signal: AbortSignal }): Awaitable<R> {
    this.#progress.started++;
    return this.#worker(item, context);
  }

  async #startLimited(
    item: T,
    context: { index: number; signal: AbortSignal },
    limiter: Limiter,
  ): Promise<R> {
    let started = false;
    const openNext = () => {
      if (started) return;
      started = true;
      this.#openNextLane();
    };
    try {
      return await limiter.run(
        () => {
          openNext();
          // Granted, but too late: the next lane may have found the source broken just now.
          if (this.#stopped) throw neverStarted;
          return this.#start(item, context);
        },
        { signal: context.signal },
      );
    } catch (error) {
      if (!started && this.#stopped) throw neverStarted;
      throw error;
    } finally {
      openNext();
    }
  }

  #report(): void {
    const { onProgress, stopWhen } = this.#options;
    notify(directly, onProgress, { ...this.#progress });
    if (stopWhen !== undefined && decide(directly, 'stopWhen', stopWhen, { ...this.#progress }) === true) {
      this.#stop(new DOMException('stopWhen asked to stop', 'AbortError'));
    }
  }

  /** The whole is going to reject. */
  #break(error: unknown): void {
    this.#broken ??= { error };
    this.#stop(error);
  }

  #stop(reason: unknown): void {
    this.#stopped = true;
    this.#source.stop();
    this.#controller.abort(reason);
  }

  async #finish(): Promise<void> {
    this.#subscription?.leave();
    try {
      if (this.#broken === undefined) this.#skipRest();
      const closing = this.#source.close();
      if (closing !== undefined) await closing;
    } catch (error) {
      this.#broken ??= { error };
    }
    if (this.#broken !== undefined) {
      this.#settle?.reject(this.#broken.error);
      return;
    }
    const summary = this.#summary();
    if (gatherings.hasSubscribers) {
      const { total, succeeded, failed, skipped, durationMs } = summary;
      gatherings.publish({ total, succeeded, failed, skipped, durationMs });
    }
    this.#settle?.resolve(summary);
  }

  #skip(index: number, item: T): void {
    this.#results[index] = { status: 'skipped', index, item };
  }

  /** What a stopped run has not pulled is listed where the source is known to end. */
  #skipRest(): void {
    if (this.#source.total === undefined) return;
    for (let step = this.#source.next(); !(step instanceof Promise) && step.done !== true; ) {
      this.#skip(this.#pulled++, step.value);
      step = this.#source.next();
    }
  }

  #summary(): Gathered<T, R> {
    const results = this.#results;
    const { succeeded, failed } = this.#progress;
    const values: R[] = [];
    const errors: Gathered<T, R>['errors'] = [];
    for (const result of results) {
      if (result.status === 'fulfilled') values.push(result.value);
      else if (result.status === 'rejected') {
        errors.push({ index: result.index, item: result.item, error: result.reason });
      }
    }
    return {
      total: results.length,
      succeeded,
      failed,
      skipped: results.length - succeeded - failed,
      failureRate: failed === 0 ? 0 : failed / (succeeded + failed),
      durationMs: now() - this.#startedMs,
      results,
      values,
      errors,
      valuesOrThrow() {
        if (errors.length === 0) return values;
        const reasons = errors.map(({ error }) => error);
        throw new AggregateError(reasons, `${failed} of ${succeeded + failed} items failed`);
      },
    };
  }
}

/** Thrown for an item that was still waiting for the limiter when the run was stopped: it is skipped. */
const neverStarted = Symbol('never started');
