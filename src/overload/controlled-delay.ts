/**
 * controlledDelay: while more is asked than can be served, waiters that have waited too long are refused, and the newest are
 * served first. A FIFO queue would serve every caller too late. When less is asked again, the oldest are served first, so that
 * those that wait since a burst are still answered.
 *
 * Invariants
 *   CD1  Until a queue has been non-empty for `intervalMs`, no waiter is refused and the oldest is served first.
 *   CD2  After that, a waiter that has waited longer than `targetMs` is refused at the next arrival or release.
 *   CD3  The newest waiter is never refused, so no unit stays free while a caller waits.
 *   CD4  While the queue is overloaded, the newest is served first until clearly more units were granted than asked for. Then the
 *        oldest is served first, until as many were asked for again.
 *
 * Hand-over, Cancel: those of the queue that it orders.
 * Cost: O(1) per waiter, no timer. A refusal happens when another caller comes or a permit is released.
 * What it is not: for jobs that must all be done. Callers of a queue do not expect a refusal, so it is never the default.
 * Lineage: CoDel (Nichols and Jacobson 2012); adaptive LIFO and controlled delay in "Fail at Scale" (Maurer 2015).
 */
import { checkDuration, checkOptions, type OptionNames } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import type { WaitOrder } from '../waiting/wait-order.js';
import { LineOrder } from './line-order.js';
import { Arrivals } from './oldest-first.js';
import type { OrderedWaiter, WaitLine } from './wait-line.js';

export interface ControlledDelayOptions {
  /** How long a caller may wait while the queue is overloaded, in milliseconds. Default 5. */
  targetMs?: number | undefined;
  /** A queue that was not empty for this many milliseconds is overloaded. Default 100. */
  intervalMs?: number | undefined;
  /** Whether the newest waiter is served first while the queue is overloaded and more comes than is served. Default true. */
  newestFirst?: boolean | undefined;
}

interface ControlledDelaySettings {
  readonly targetMs: number;
  readonly intervalMs: number;
  readonly newestFirst: boolean;
}

const optionNames: OptionNames<ControlledDelayOptions> = {
  targetMs: true,
  intervalMs: true,
  newestFirst: true,
};

/** When this many more units were granted than asked for, more is served than comes. Fewer may be chance. Tuned. */
const clearLead = 30;

/** The longest `retryAfterMs`, so that an overload of hours does not send callers away for hours. */
const longestRetryAfterMs = 30_000;

/**
 * An order for the queue of a semaphore that keeps the queue short under overload.
 *
 * A refused caller gets a `QueueFullError` at once. Its `retryAfterMs` is as long as the overload has lasted so far, at least
 * `intervalMs` and at most 30 s.
 *
 * @throws TypeError or RangeError that names the option and the value.
 * @example
 * ```ts
 * import { Semaphore } from 'latchkey';
 * import { controlledDelay } from 'latchkey/overload';
 *
 * const api = new Semaphore(10, { order: controlledDelay({ targetMs: 20 }) });
 * const answer = await api.run(async () => 'served');
 * console.log(answer); // → served
 * ```
 */
export function controlledDelay(options: ControlledDelayOptions = {}): WaitOrder {
  checkOptions(options, optionNames);
  const { targetMs = 5, intervalMs = 100, newestFirst = true } = options;
  checkDuration('targetMs', targetMs);
  checkDuration('intervalMs', intervalMs);
  if (typeof newestFirst !== 'boolean') {
    throw new TypeError(`newestFirst must be a boolean, got ${printable(newestFirst)}`);
  }
  const settings = { targetMs, intervalMs, newestFirst };
  return new LineOrder(() => new ControlledDelay(settings));
}

class ControlledDelay extends Arrivals implements WaitLine {
  readonly #settings: ControlledDelaySettings;
  /** Since when the queue is not empty. */
  #standingSinceMs = 0;
  /** How many more units were granted than asked for, between 0 and `clearLead`. */
  #lead = 0;
  /** More units are asked for than granted: the newest waiter is served first. */
  #isRising = true;

  constructor(settings: ControlledDelaySettings) {
    super();
    this.#settings = settings;
  }

  override add(waiter: OrderedWaiter, nowMs: number): boolean {
    if (this.size === 0) this.#standingSinceMs = nowMs;
    this.#lead = this.size === 0 ? 0 : Math.max(0, this.#lead - waiter.weight);
    if (this.#lead === 0) this.#isRising = true;
    super.add(waiter, nowMs);
    this.#refuseLate(nowMs);
    return false;
  }

  override remove(waiter: OrderedWaiter, isGranted: boolean): void {
    super.remove(waiter, isGranted);
    if (!isGranted) return;
    this.#lead = Math.min(clearLead, this.#lead + waiter.weight);
    if (this.#lead === clearLead) this.#isRising = false;
  }

  next(nowMs: number): OrderedWaiter | undefined {
    this.#refuseLate(nowMs);
    const isNewestFirst = this.#settings.newestFirst && this.#isRising && this.#isOverloaded(nowMs);
    return (isNewestFirst ? this.tail : this.head)?.item;
  }

  #isOverloaded(nowMs: number): boolean {
    return nowMs - this.#standingSinceMs > this.#settings.intervalMs;
  }

  #refuseLate(nowMs: number): void {
    if (!this.#isOverloaded(nowMs)) return;
    const { targetMs, intervalMs } = this.#settings;
    const overloadedMs = nowMs - this.#standingSinceMs;
    const retryAfterMs = Math.min(Math.max(intervalMs, overloadedMs), longestRetryAfterMs);
    while (this.size > 1 && this.head !== undefined && nowMs - this.head.item.sinceMs > targetMs) {
      this.head.item.sendAway(retryAfterMs);
    }
  }
}
