/**
 * Lanes: runs a worker over the items of a source, a bounded number at a time, and passes each outcome on.
 *
 * A lane pulls an item, runs the worker and puts the outcome into the outlet. Lanes of a plain iterable repeat that. With a
 * limiter or an async source each item has a lane of its own, which the item before it opens (G3).
 */
import { decide, directly, notify } from '../calling/listeners.js';
import type { Awaitable, Limiter } from '../contract/types.js';
import { AsyncContext } from '../runtime/async-context.js';
import { channel } from '../runtime/channels.js';
import { now } from '../runtime/clock.js';
import { type Abortable, onAbort, throwIfAborted } from '../waiting/abort-listeners.js';
import type { Link } from '../waiting/linked-list.js';
import type { GatherOptions, GatherProgress, GatherResult, GatherWorker } from './gather-options.js';
import { AsyncSource, type ItemSource, itemSource } from './item-source.js';

/** Receives the outcomes of a run. */
export interface Outlet<T, R> {
  put(result: GatherResult<T, R>): void;
  /** How many outcomes wait to be taken. Each of them occupies a lane. */
  readonly untaken: number;
  /** No worker runs any more, and the source is closed. `broken` holds the error that ended the run, if one did. */
  end(broken: { readonly error: unknown } | undefined): void;
}

/** Published on the channel `latchkey:gather` when a run has ended without an error of its source and without an abort. */
export interface GatherMessage {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly skipped: number;
  readonly durationMs: number;
}

const gatherings = /* @__PURE__ */ channel<GatherMessage>('latchkey:gather');

/** Thrown for an item that waits for the limiter when the run is stopped: it is skipped. */
const neverStarted = Symbol('never started');

export class Lanes<T, R> {
  readonly #source: ItemSource<T>;
  readonly #worker: GatherWorker<T, R>;
  readonly #options: GatherOptions;
  readonly #outlet: Outlet<T, R>;
  readonly #maxLanes: number;
  readonly #laneEach: boolean;
  readonly #controller = new AbortController();
  /** The caller's. A limiter's task opens the next lane, which does not belong to that task. */
  readonly #context = new AsyncContext();
  readonly #progress: GatherProgress = { started: 0, succeeded: 0, failed: 0 };
  #startedMs = 0;
  #pulled = 0;
  /** Lanes that run a worker or wait for an item, and how many more may be opened. */
  #lanes = 0;
  #lanesToOpen: number;
  #opening = false;
  #exhausted = false;
  #stopped = false;
  #finished = false;
  #broken: { readonly error: unknown } | undefined;
  #subscription: Link<Abortable> | undefined;

  /** @throws TypeError when `items` is not iterable. */
  constructor(
    items: Iterable<T> | AsyncIterable<T>,
    worker: GatherWorker<T, R>,
    options: GatherOptions & { concurrency: number },
    outlet: Outlet<T, R>,
  ) {
    this.#source = itemSource(items);
    this.#worker = worker;
    this.#options = options;
    this.#outlet = outlet;
    this.#maxLanes = options.concurrency;
    this.#laneEach = options.limiter !== undefined || this.#source instanceof AsyncSource;
    this.#lanesToOpen = this.#laneEach ? 1 : Infinity;
    if (this.#source.total !== undefined) this.#progress.total = this.#source.total;
  }

  get durationMs(): number {
    return now() - this.#startedMs;
  }

  start(): void {
    const { signal } = this.#options;
    this.#startedMs = now();
    try {
      // The source may have aborted the signal while it was opened.
      throwIfAborted(signal);
      this.#subscription = signal && onAbort(signal, { onAbort: (reason) => this.#break(reason) });
    } catch (error) {
      this.#break(error);
    }
    this.openLanes();
  }

  /** Starts nothing more, and aborts the workers' signal. */
  stop(reason: unknown): void {
    this.#stopped = true;
    this.#source.stop();
    this.#controller.abort(reason);
  }

  /** A loop, not a recursion: an item that starts at once opens the next lane from within this one. */
  openLanes(): void {
    if (this.#opening) return;
    this.#opening = true;
    while (this.#lanesToOpen > 0 && this.#freeLanes > 0 && !this.#exhausted && !this.#stopped) {
      this.#lanesToOpen--;
      this.#lanes++;
      this.#lane();
    }
    this.#opening = false;
    if (this.#lanes > 0 || this.#finished || !(this.#exhausted || this.#stopped)) return;
    this.#finished = true;
    this.#finish();
  }

  get #freeLanes(): number {
    return this.#maxLanes - this.#lanes - this.#outlet.untaken;
  }

  #openNextLane(): void {
    this.#lanesToOpen++;
    this.openLanes();
  }

  async #lane(): Promise<void> {
    const { limiter } = this.#options;
    const { signal } = this.#controller;
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
          this.#outlet.put({ status: 'skipped', index, item });
          break;
        }
        try {
          const context = { index, signal };
          const value = await (limiter === undefined
            ? this.#start(item, context)
            : this.#startLimited(item, context, limiter));
          this.#progress.succeeded++;
          this.#outlet.put({ status: 'fulfilled', index, item, value });
        } catch (reason) {
          if (reason === neverStarted) {
            this.#outlet.put({ status: 'skipped', index, item });
            break;
          }
          this.#progress.failed++;
          this.#outlet.put({ status: 'rejected', index, item, reason });
        }
        this.#report();
      } while (!this.#laneEach && !this.#stopped && this.#freeLanes >= 0);
    } catch (error) {
      this.#break(error);
    }
    this.#lanes--;
    this.openLanes();
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
      this.#context.run(() => this.#openNextLane());
    };
    try {
      return await limiter.run(
        () => {
          openNext();
          // The next lane may have found the source broken just now.
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
    if (onProgress === undefined && stopWhen === undefined) return;
    notify(directly, onProgress, { ...this.#progress });
    if (stopWhen !== undefined && decide(directly, 'stopWhen', stopWhen, { ...this.#progress })) {
      this.stop(new DOMException('stopWhen asked to stop', 'AbortError'));
    }
  }

  /** Ends the run with an error. */
  #break(error: unknown): void {
    this.#broken ??= { error };
    this.stop(error);
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
    if (this.#broken === undefined && gatherings.hasSubscribers) this.#publish();
    this.#outlet.end(this.#broken);
  }

  /** G2: a stopped run lists the items that it has not pulled, where the source is known to end. */
  #skipRest(): void {
    if (this.#source.total === undefined) return;
    for (let step = this.#source.next(); !(step instanceof Promise) && step.done !== true; ) {
      this.#outlet.put({ status: 'skipped', index: this.#pulled++, item: step.value });
      step = this.#source.next();
    }
  }

  #publish(): void {
    const { succeeded, failed } = this.#progress;
    const total = this.#pulled;
    const skipped = total - succeeded - failed;
    gatherings.publish({ total, succeeded, failed, skipped, durationMs: this.durationMs });
  }
}
