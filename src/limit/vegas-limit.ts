/**
 * VegasLimit: keeps a few calls queued in the backend, by the law of TCP Vegas on windows of one second.
 *
 * Invariants
 *   VE1  The limit stays within [min, max], and changes at most once per window of at least 10 calls.
 *   VE2  The number of queued calls is estimated as limit * (1 - fastest / mean), from the mean durations of windows.
 *   VE3  With s = max(1, floor(log10(limit))): at most 1 * s queued, the limit jumps by 6 * s; below alpha * s it grows by
 *        s; above beta * s, or after any overload in the window, it falls by s. alpha = 3, beta = 6. A window with an
 *        overload is never the fastest: a refusal is quick, and says nothing about the duration of the work.
 *   VE4  A window in which less than half of the limit was held at any time never raises the limit.
 *   VE5  The fastest window is forgotten after 30 * limit windows, so that one lucky window does not last.
 *   VE6  A clock that steps back ends the window; the next one starts at the new time.
 *
 * Windows are needed because the fastest single call is an outlier: compared with it, every mean looks like a queue, and
 * the law settles at a third of what the backend can do.
 * For the only client of a backend whose service time does not change. If the time grows for another reason (a longer
 * route, a heavier mix), the baseline is wrong for some 30 * limit windows. With steps of 1 per second (2 from 100 on)
 * it is slow to find a distant limit.
 * Cost: a few additions per sample. Lineage: Brakmo and Peterson 1995; Netflix concurrency-limits' VegasLimit inside its
 * WindowedLimit.
 */
import {
  checkSample,
  type LimitAlgorithm,
  type LimitBounds,
  type LimitSample,
  limitBounds,
} from './limit-algorithm.js';

const windowMs = 1_000;
const fewestCalls = 10;
/** VE5, in windows per unit of the limit. */
const windowsPerPermit = 30;
/** Queued calls, in steps of the limit. alpha = 3, beta = 6; at 1 or fewer, jump (VE3). */
const jumpAtMost = 1;
const alpha = 3;
const beta = 6;
const jump = 6;

/**
 * A limit that grows until a few calls queue in the backend, judged once per second.
 *
 * @example
 * ```ts
 * import { AdaptiveSemaphore, VegasLimit } from 'latchkey';
 *
 * const semaphore = new AdaptiveSemaphore({ algorithm: new VegasLimit({ initial: 8, max: 200 }) });
 * await semaphore.run(() => 'one call is too few to judge');
 * console.log(semaphore.limit); // → 8
 * ```
 */
export class VegasLimit implements LimitAlgorithm {
  readonly #min: number;
  readonly #max: number;
  #limit: number;
  #fastestMs = Infinity;
  #windowsOfFastest = 0;
  #windowStartMs = -Infinity;
  #calls = 0;
  #durationSumMs = 0;
  #mostHeld = 0;
  #anyOverload = false;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: LimitBounds = {}) {
    const { initial, min, max } = limitBounds(options);
    this.#min = min;
    this.#max = max;
    this.#limit = initial;
  }

  /** The limit now. */
  get limit(): number {
    return this.#limit;
  }

  /** `limit`, and `fastestMs`: the mean duration of the fastest window, Infinity while unknown. */
  snapshot(): Readonly<Record<string, number | string>> {
    return { limit: this.#limit, fastestMs: this.#fastestMs };
  }

  /** Learns from one finished call. @throws TypeError or RangeError that names a bad field. */
  onSample(sample: LimitSample): void {
    checkSample(sample);
    const { nowMs, durationMs, held, outcome } = sample;
    this.#calls++;
    this.#durationSumMs += durationMs;
    this.#mostHeld = Math.max(this.#mostHeld, held);
    if (outcome === 'overload') this.#anyOverload = true;
    const sinceMs = nowMs - this.#windowStartMs;
    // VE6
    if (sinceMs >= 0 && sinceMs <= windowMs) return;
    if (this.#calls >= fewestCalls) this.#judge(this.#durationSumMs / this.#calls);
    this.#windowStartMs = nowMs;
    this.#calls = 0;
    this.#durationSumMs = 0;
    this.#mostHeld = 0;
    this.#anyOverload = false;
  }

  #judge(meanMs: number): void {
    this.#windowsOfFastest++;
    const step = Math.max(1, Math.floor(Math.log10(this.#limit)));
    if (this.#anyOverload) {
      this.#moveBy(-step);
      return;
    }
    if (meanMs < this.#fastestMs || this.#windowsOfFastest > windowsPerPermit * this.#limit) {
      this.#fastestMs = meanMs;
      this.#windowsOfFastest = 0;
      return;
    }
    const queued = Math.ceil(this.#limit * (1 - this.#fastestMs / meanMs));
    if (this.#mostHeld * 2 < this.#limit) return;
    else if (queued <= jumpAtMost * step) this.#moveBy(jump * step);
    else if (queued < alpha * step) this.#moveBy(step);
    else if (queued > beta * step) this.#moveBy(-step);
  }

  #moveBy(step: number): void {
    this.#limit = Math.max(this.#min, Math.min(this.#max, this.#limit + step));
  }
}
