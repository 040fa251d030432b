/**
 * VegasLimit: keeps a few calls queued in the backend; TCP Vegas' law, on windows of a second.
 *
 * How many calls queue is reckoned from how much longer calls take than the fastest window seen: limit * (1 - fastest /
 * mean). Windows, because the minimum of single calls is the luckiest call of a distribution, and compared with it every
 * mean looks like a queue: per call, this law settles at a third of what the backend can do.
 *
 * For one client of a backend whose own time does not change. Where it grows for another reason than a queue (a longer
 * way, a heavier mix), the fastest window is a baseline that cannot be reached again for some 30 * limit windows.
 * It takes steps of one (of two from 100 on) a second: slow to find a limit far away.
 * Cost: a handful of additions per sample. Lineage: Brakmo and Peterson 1995; Netflix concurrency-limits' VegasLimit
 * inside its WindowedLimit.
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
/** The fastest window is forgotten after so many windows per permit, lest it be a freak for ever. */
const windowsPerPermit = 30;
/** How many calls may queue, in steps of the limit: up to one is few and calls for a leap, three is enough, six many. */
const leapBelow = 1;
const alpha = 3;
const beta = 6;
const leap = 6;

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

  get limit(): number {
    return this.#limit;
  }

  /** `fastestMs`: mean duration of the fastest window; Infinity while unknown. */
  snapshot(): Readonly<Record<string, number | string>> {
    return { limit: this.#limit, fastestMs: this.#fastestMs };
  }

  onSample(sample: LimitSample): void {
    checkSample(sample);
    const { nowMs, durationMs, held, outcome } = sample;
    this.#calls++;
    this.#durationSumMs += durationMs;
    this.#mostHeld = Math.max(this.#mostHeld, held);
    if (outcome === 'overload') this.#anyOverload = true;
    const sinceMs = nowMs - this.#windowStartMs;
    // A wall clock that was set back begins a window of its own.
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
    if (meanMs < this.#fastestMs || this.#windowsOfFastest > windowsPerPermit * this.#limit) {
      this.#fastestMs = meanMs;
      this.#windowsOfFastest = 0;
      return;
    }
    const step = Math.max(1, Math.floor(Math.log10(this.#limit)));
    const queued = Math.ceil(this.#limit * (1 - this.#fastestMs / meanMs));
    if (this.#anyOverload) this.#moveBy(-step);
    else if (this.#mostHeld * 2 < this.#limit) return;
    else if (queued <= leapBelow * step) this.#moveBy(leap * step);
    else if (queued < alpha * step) this.#moveBy(step);
    else if (queued > beta * step) this.#moveBy(-step);
  }

  #moveBy(step: number): void {
    this.#limit = Math.max(this.#min, Math.min(this.#max, this.#limit + step));
  }
}
