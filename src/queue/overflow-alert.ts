/**
 * Reports overflows at a limited rate: the first at once, then one report per interval, with the number of overflows in it.
 * The last interval is reported when it ends, so that no burst is lost.
 */
import { notify } from '../calling/listeners.js';
import type { AsyncContext } from '../runtime/async-context.js';
import { channel } from '../runtime/channels.js';
import { setTimer, type Timer } from '../runtime/clock.js';

/** Overflows of a queue, counted. */
export interface OverflowReport {
  /** Overflows since the last report. */
  readonly count: number;
  /** How many items were in the queue, or taken and not done, at the last of them. */
  readonly fill: number;
}

/** Published on the channel `latchkey:queue:overflow` together with each call of `onOverflow`, with the same fields. */
export interface OverflowMessage extends OverflowReport {
  readonly source: object;
}

const overflows = /* @__PURE__ */ channel<OverflowMessage>('latchkey:queue:overflow');

export class OverflowAlert {
  readonly #source: object;
  readonly #listener: ((report: OverflowReport) => void) | undefined;
  readonly #intervalMs: number;
  readonly #context: AsyncContext;
  #count = 0;
  #fill = 0;
  #interval: Timer | undefined;

  constructor(
    source: object,
    listener: ((report: OverflowReport) => void) | undefined,
    intervalMs: number,
    context: AsyncContext,
  ) {
    this.#source = source;
    this.#listener = listener;
    this.#context = context;
    this.#intervalMs = intervalMs;
  }

  overflowed(fill: number): void {
    if (this.#listener === undefined && !overflows.hasSubscribers) return;
    this.#count++;
    this.#fill = fill;
    if (this.#interval === undefined) this.#reportAndRearm();
  }

  /** Reports now the overflows that are not reported yet. None may follow. */
  flush(): void {
    this.#interval?.cancel();
    if (this.#count > 0) this.#report();
  }

  #reportAndRearm(): void {
    this.#report();
    this.#interval = this.#context.run(() =>
      setTimer(() => this.#end(), this.#intervalMs, { background: true }),
    );
  }

  #end(): void {
    this.#interval = undefined;
    if (this.#count > 0) this.#reportAndRearm();
  }

  #report(): void {
    const report = { count: this.#count, fill: this.#fill };
    this.#count = 0;
    if (overflows.hasSubscribers) overflows.publish({ source: this.#source, ...report });
    notify(this.#context, this.#listener, report);
  }
}
