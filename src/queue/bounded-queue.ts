/**
 * BoundedQueue: a bounded queue with an explicit overflow policy and rate-limited overflow reports.
 *
 * Invariants
 *   Q1  Items that wait, and items that were taken but are not done, are together at most `capacity`.
 *   Q2  Items leave in the order in which they came; so do waiting producers (policy 'wait').
 *   Q3  Every offered item is taken, refused or passed to `onDrop`. No item disappears.
 *   Q4  The first overflow of a burst is reported at once; then one report per interval, with the count. The last interval
 *       is reported when it ends.
 *   Q5  After `close()` no item gets in; the items inside can still be taken; then consumers get an empty batch.
 *   Q6  An iterator that returns leaves the queue at once: the next item goes to another consumer. Items come out as they
 *       were offered, promises included.
 *
 * Policies when it is full: 'wait' producers wait; 'reject' QueueFullError; 'drop-oldest' the oldest waiting item makes
 *   room; 'drop-newest' the new item is dropped; 'sample' from 90 % on a falling share of items is let in, one in twenty at
 *   95 %, none at 100 %, so that the items kept are a fair sample of a burst, not its beginning.
 * Hand-over: an item goes to the oldest waiting consumer in the turn in which it is offered; room goes to the oldest waiting
 *   producer in the turn in which it becomes free. Cancel: rejects at once; the caller loses its place in the queue only.
 * Cost: O(1) to offer and to take one. Lineage: Go's channels; random early detection (Floyd and Jacobson 1993).
 */
import { decide, notify } from '../calling/listeners.js';
import {
  checkBoolean,
  checkDuration,
  checkFunction,
  checkLimit,
  checkOptions,
  checkReceiver,
  type OptionNames,
} from '../contract/arguments.js';
import {
  ClosedError,
  printable,
  QueueFullError,
  type WaitDetails,
  withoutStack,
} from '../contract/errors.js';
import type { WaitOptions } from '../contract/types.js';
import { AsyncContext } from '../runtime/async-context.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { OverflowAlert, type OverflowReport } from './overflow-alert.js';
import { QueueIterator } from './queue-iterator.js';
import { Ring } from './ring.js';

export type { OverflowReport } from './overflow-alert.js';

/** What happens to an item that is offered while the queue is full. */
export type OverflowPolicy = 'wait' | 'reject' | 'drop-oldest' | 'drop-newest' | 'sample';

export interface BoundedQueueOptions<T> {
  /** How many items may be in the queue, or taken and not done. */
  capacity: number;
  /** What happens when it is full. Default 'wait'. */
  policy?: OverflowPolicy | undefined;
  /** Called with every item that is dropped. What it throws or rejects with is ignored. */
  onDrop?: ((item: T) => void) | undefined;
  /** Called for the first overflow, then once per interval with the count. What it throws or rejects with is ignored. */
  onOverflow?: ((report: OverflowReport) => void) | undefined;
  /** The least time between two overflow reports, in milliseconds. Default 60_000. */
  overflowIntervalMs?: number | undefined;
  /** For 'sample': gives [0, 1). Default `Math.random`. */
  random?: (() => number) | undefined;
}

const optionNames: OptionNames<BoundedQueueOptions<unknown>> = {
  capacity: true,
  policy: true,
  onDrop: true,
  onOverflow: true,
  overflowIntervalMs: true,
  random: true,
};

export interface OfferOptions extends WaitOptions {
  /** With the policy 'sample': the item is let in whenever there is room. Default false. */
  critical?: boolean | undefined;
}

/** Items that were taken. They occupy the queue until `done()`. Works with `using`. */
export interface Batch<T> extends Disposable {
  readonly items: readonly T[];
  /** Makes room for as many new items. Idempotent. */
  done(): void;
}

const policies = new Set<unknown>([
  'wait',
  'reject',
  'drop-oldest',
  'drop-newest',
  'sample',
] satisfies OverflowPolicy[]);
const sampleFrom = 0.9;
const sampleUntil = 0.95;
const sampleLeast = 0.05;

/**
 * A queue between producers and consumers in one process, with a fixed capacity.
 *
 * @example
 * ```ts
 * import { BoundedQueue } from 'latchkey/bounded-queue';
 *
 * const dropped: number[] = [];
 * const onDrop = (item: number) => dropped.push(item);
 * const queue = new BoundedQueue<number>({ capacity: 2, policy: 'drop-oldest', onDrop });
 * for (const item of [1, 2, 3]) await queue.offer(item);
 * queue.close();
 * const taken: number[] = [];
 * for await (const item of queue) taken.push(item);
 * console.log(taken.join(), dropped.join()); // → 2,3 1
 * ```
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #policy: OverflowPolicy;
  readonly #onDrop: ((item: T) => void) | undefined;
  readonly #random: () => number;
  readonly #alert: OverflowAlert;
  readonly #context = new AsyncContext();
  readonly #items = new Ring<T>();
  /** Each waiter brings an item. */
  readonly #producers: WaitQueue<true, T>;
  /** It is empty while an item is in the queue. */
  readonly #consumers: WaitQueue<Batch<T>>;
  #inFlight = 0;
  #closed = false;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: BoundedQueueOptions<T>) {
    checkOptions(options, optionNames);
    const { capacity, policy = 'wait', onDrop, onOverflow, overflowIntervalMs = 60_000 } = options;
    const { random = Math.random } = options;
    checkLimit('capacity', capacity);
    if (!policies.has(policy)) {
      throw new TypeError(`policy must be one of ${[...policies].join(', ')}, got ${printable(policy)}`);
    }
    if (onDrop !== undefined) checkFunction('onDrop', onDrop);
    if (onOverflow !== undefined) checkFunction('onOverflow', onOverflow);
    checkDuration('overflowIntervalMs', overflowIntervalMs);
    checkFunction('random', random);
    this.#capacity = capacity;
    this.#policy = policy;
    this.#onDrop = onDrop;
    this.#random = random;
    this.#alert = new OverflowAlert(this, onOverflow, overflowIntervalMs, this.#context);
    const describe = (waitedMs: number): WaitDetails => this.#describe(waitedMs);
    this.#producers = new WaitQueue({ source: this, describe, onLeave: () => {} } satisfies QueueOwner);
    // A waiting consumer is idle, not delayed, so its wait is not published.
    this.#consumers = new WaitQueue({ describe, onLeave: () => {} } satisfies QueueOwner);
  }

  /** How many items are waiting to be taken. */
  get size(): number {
    return this.#items.size;
  }

  /** How many items were taken and are not done. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** How many producers are waiting for room. */
  get waiting(): number {
    return this.#producers.size;
  }

  /**
   * Puts an item in. Resolves with true when it is in, with false when it was dropped.
   *
   * Rejects with `QueueFullError` (policy 'reject') or `ClosedError`; a waiting producer also with `signal.reason` or
   * `WaitTimeoutError`. After a rejection the item is not in.
   */
  async offer(item: T, options: OfferOptions = {}): Promise<boolean> {
    checkReceiver('BoundedQueue', this, BoundedQueue);
    const settings = waitSettings(options);
    const { critical = false } = options;
    checkBoolean('critical', critical);
    this.#refuseClosed();
    // While producers wait, it is full.
    if (this.#isFull) {
      if (this.#policy !== 'wait') return this.#overflow(item);
      const wait = this.#producers.wait(settings, item);
      // Last, because a listener may close the queue or offer.
      this.#alert.overflowed(this.#fill);
      return wait;
    }
    if (this.#policy === 'sample' && !critical && !this.#isSampled) {
      return this.#drop(item);
    }
    this.#put(item);
    return true;
  }

  /**
   * Takes up to `max` items: waits for the first one, never for more. Resolves with an empty batch when the queue is closed
   * and no item is left. Rejects with `signal.reason` or `WaitTimeoutError`.
   */
  async take(max = 1, options?: WaitOptions): Promise<Batch<T>> {
    checkReceiver('BoundedQueue', this, BoundedQueue);
    checkLimit('max', max);
    const settings = waitSettings(options);
    if (this.#items.size === 0 && !this.#closed) return this.#consumers.wait(settings);
    return this.#takeNow(max);
  }

  /**
   * Takes one item at a time. An item is done when the loop asks for the next one, or ends. The loop ends when the queue is
   * closed and no item is left.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return new QueueIterator(
      () => (this.#items.size > 0 || this.#closed ? this.#takeNow(1) : undefined),
      (onBatch) => this.#consumers.join(onBatch, undefined),
    );
  }

  /** Lets no item in any more. Waiting producers are refused with `ClosedError`; consumers get the items left. Idempotent. */
  close(): void {
    checkReceiver('BoundedQueue', this, BoundedQueue);
    if (this.#closed) return;
    this.#closed = true;
    this.#alert.flush();
    this.#producers.refuseAll(() => withoutStack(() => new ClosedError('the queue')));
    while (this.#consumers.size > 0) this.#consumers.grant(this.#batch([]));
  }

  get #fill(): number {
    return this.#items.size + this.#inFlight;
  }

  get #isFull(): boolean {
    return this.#fill >= this.#capacity;
  }

  /** The fuller the queue, the smaller the share that is let in. */
  get #isSampled(): boolean {
    const share = this.#fill / this.#capacity;
    if (share < sampleFrom) return true;
    const thinned = 1 - (1 - sampleLeast) * ((share - sampleFrom) / (sampleUntil - sampleFrom));
    return decide(this.#context, 'random', this.#random) < Math.max(sampleLeast, thinned);
  }

  #put(item: T): void {
    if (this.#consumers.size > 0) this.#consumers.grant(this.#batch([item]));
    else this.#items.push(item);
  }

  #overflow(item: T): boolean {
    if (this.#policy === 'reject') {
      this.#alert.overflowed(this.#fill);
      throw new QueueFullError(this.#describe(0));
    }
    // When every item is in flight, none is left to drop.
    if (this.#policy !== 'drop-oldest' || this.#items.size === 0) return this.#drop(item);
    const oldest = this.#items.shift() as T;
    this.#put(item);
    // Last, because a listener may close the queue or offer.
    this.#drop(oldest);
    return true;
  }

  #drop(item: T): false {
    this.#alert.overflowed(this.#fill);
    notify(this.#context, this.#onDrop, item);
    return false;
  }

  #takeNow(max: number): Batch<T> {
    const items: T[] = [];
    while (items.length < max && this.#items.size > 0) items.push(this.#items.shift() as T);
    return this.#batch(items);
  }

  #batch(items: readonly T[]): Batch<T> {
    this.#inFlight += items.length;
    let isDone = false;
    const done = () => {
      if (isDone) return;
      isDone = true;
      this.#inFlight -= items.length;
      this.#admit();
    };
    return { items, done, [Symbol.dispose]: done };
  }

  /** Lets in the items of waiting producers while there is room. */
  #admit(): void {
    for (let { head } = this.#producers; head !== undefined && !this.#isFull; head = this.#producers.head) {
      this.#put(head.demand);
      this.#producers.grant(true);
    }
  }

  #refuseClosed(): void {
    if (this.#closed) throw new ClosedError('the queue');
  }

  #describe(waitedMs: number): WaitDetails {
    return { waitedMs, held: this.#fill, waiting: this.#producers.size, limit: this.#capacity };
  }
}
