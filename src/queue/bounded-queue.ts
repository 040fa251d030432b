/**
 * BoundedQueue: a queue that says what happens when it is full, and says so again, but not a thousand times.
 *
 * Invariants
 *   Q1  Items that wait, and those taken whose work is not done yet, are together never more than `capacity`.
 *   Q2  Items leave in the order in which they came; so do producers who wait (policy 'wait').
 *   Q3  Every item that was offered is taken, refused or told to `onDrop`: none disappears.
 *   Q4  Of a burst of overflows the first is told at once; then one per interval, with how many there were. The last
 *       burst is told as well, when its interval ends.
 *   Q5  After `close()` nothing is taken in; what is in can be taken; then consumers are told that it is over.
 *
 * Policies when it is full: 'wait' producers wait; 'reject' QueueFullError; 'drop-oldest' the oldest that waits makes room;
 *   'drop-newest' the one that comes is dropped; 'sample' fewer and fewer are let in from 90 % on, one in twenty at
 *   95 %, none at 100 %, so that what is kept is a fair sample of a burst and not its beginning.
 * Hand-over: an item goes to the oldest consumer who waits in the turn in which it is offered, room to the oldest producer in
 *   the turn in which it comes to be. Cancel: rejects at once, and loses the place in line and nothing else.
 * Cost: O(1) to offer and to take one. Lineage: Go's channels; random early detection (Floyd and Jacobson 1993).
 */
import { notify } from '../calling/listeners.js';
import {
  checkBoolean,
  checkDuration,
  checkFunction,
  checkLimit,
  checkObject,
} from '../contract/arguments.js';
import { ClosedError, printable, QueueFullError, type WaitDetails } from '../contract/errors.js';
import type { WaitOptions } from '../contract/types.js';
import { AsyncContext } from '../runtime/async-context.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { OverflowAlert, type OverflowReport } from './overflow-alert.js';
import { Ring } from './ring.js';

export type { OverflowReport } from './overflow-alert.js';

export type OverflowPolicy = 'wait' | 'reject' | 'drop-oldest' | 'drop-newest' | 'sample';

export interface BoundedQueueOptions<T> {
  /** How many items may wait or be worked on. */
  capacity: number;
  /** What happens when it is full. Default 'wait'. */
  policy?: OverflowPolicy | undefined;
  /** Told of every item that is dropped; what it throws is ignored. */
  onDrop?: ((item: T) => void) | undefined;
  /** Told of overflows: at once, then once per interval with the count. What it throws is ignored. */
  onOverflow?: ((report: OverflowReport) => void) | undefined;
  /** In milliseconds. Default 60_000. */
  overflowIntervalMs?: number | undefined;
  /** For 'sample': gives [0, 1). Default `Math.random`. */
  random?: (() => number) | undefined;
}

export interface OfferOptions extends WaitOptions {
  /** 'sample' lets it in as long as there is room. */
  critical?: boolean | undefined;
}

/** Items that were taken. They count until `done()`; works with `using`. */
export interface Batch<T> extends Disposable {
  readonly items: readonly T[];
  /** Makes room for as many. Idempotent. */
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

export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #policy: OverflowPolicy;
  readonly #onDrop: ((item: T) => void) | undefined;
  readonly #random: () => number;
  readonly #alert: OverflowAlert;
  readonly #context = new AsyncContext();
  readonly #items = new Ring<T>();
  /** Each brings an item. */
  readonly #producers: WaitQueue<true, T>;
  /** There are some only while nothing is in. */
  readonly #consumers: WaitQueue<Batch<T>>;
  #inFlight = 0;
  #closed = false;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: BoundedQueueOptions<T>) {
    checkObject('options', options);
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
    // A consumer who waits is idle, not held up: not worth a message.
    this.#consumers = new WaitQueue({ describe, onLeave: () => {} } satisfies QueueOwner);
  }

  /** How many items wait to be taken. */
  get size(): number {
    return this.#items.size;
  }

  /** How many were taken and are not done. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** How many producers wait for room. */
  get waiting(): number {
    return this.#producers.size;
  }

  /**
   * Puts an item in; resolves with whether it was taken in, `false` meaning that it was dropped.
   *
   * Rejects with `QueueFullError` (policy 'reject'), `ClosedError`, and, of a producer who waits, with `signal.reason` or
   * `WaitTimeoutError`: the item is then not in.
   */
  async offer(item: T, options: OfferOptions = {}): Promise<boolean> {
    const settings = waitSettings(options);
    const { critical = false } = options;
    checkBoolean('critical', critical);
    this.#refuseClosed();
    if (this.#isFull || this.#producers.size > 0) {
      if (this.#policy !== 'wait') return this.#overflow(item);
      const wait = this.#producers.wait(settings, item);
      // Last: a listener may close the queue, or offer.
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
   * Takes up to `max` items, at least one: waits for the first, never for more. Resolves with an empty batch when the queue is
   * closed and nothing is left. Rejects with `signal.reason` or `WaitTimeoutError`.
   */
  async take(max = 1, options?: WaitOptions): Promise<Batch<T>> {
    checkLimit('max', max);
    const settings = waitSettings(options);
    if (this.#items.size === 0 && !this.#closed) return this.#consumers.wait(settings);
    const items: T[] = [];
    while (items.length < max && this.#items.size > 0) items.push(this.#items.shift() as T);
    return this.#batch(items);
  }

  /** One item at a time; each is done when the loop asks for the next, or ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const { items, done } = await this.take();
      // Not with `using`: the helper that the compiler puts in its place makes bundlers complain.
      try {
        if (items.length === 0) return;
        yield items[0] as T;
      } finally {
        done();
      }
    }
  }

  /** Takes nothing more in; producers who wait are refused with `ClosedError`, consumers get what is left. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#alert.flush();
    this.#producers.refuseAll(() => new ClosedError('the queue'));
    while (this.#consumers.size > 0) this.#consumers.grant(this.#batch([]));
  }

  get #fill(): number {
    return this.#items.size + this.#inFlight;
  }

  get #isFull(): boolean {
    return this.#fill >= this.#capacity;
  }

  /** The fuller, the fewer. */
  get #isSampled(): boolean {
    const share = this.#fill / this.#capacity;
    if (share < sampleFrom) return true;
    const thinned = 1 - (1 - sampleLeast) * ((share - sampleFrom) / (sampleUntil - sampleFrom));
    return this.#random() < Math.max(sampleLeast, thinned);
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
    // With everything in flight there is nothing older to drop.
    if (this.#policy !== 'drop-oldest' || this.#items.size === 0) return this.#drop(item);
    const oldest = this.#items.shift() as T;
    this.#put(item);
    // Last: a listener may close the queue, or offer.
    this.#drop(oldest);
    return true;
  }

  #drop(item: T): false {
    this.#alert.overflowed(this.#fill);
    notify(this.#context, this.#onDrop, item);
    return false;
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

  /** Lets in what producers have to offer for whom there is room now. */
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
