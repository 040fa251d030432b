/**
 * The duration of a round trip now, its baseline when nothing queues, and the noise of the measurements.
 *
 * Only a drain measures the baseline. A remembered minimum is the luckiest call of a distribution, and a long average
 * absorbs a lasting overload. The noise is estimated from the differences between phases at one limit, and from the
 * differences between durations inside a phase. All constants are tuned: see the simulation (`npm run bench -- adaptive`).
 */
import { clamp, fewestSuccesses, type Measurement, type Phase } from './phase.js';

/** Limits that differ by less than this (in logarithms) count as the same limit. */
const sameLnLimit = 0.06;
/** The baseline is the minimum of this many drains, so that one spoilt by other clients is soon forgotten. */
const drainsRemembered = 2;
/** The largest variance over squared mean that is believed: one call of fifty that takes a hundred times as long has 22. */
const mostNoise = 32;
/** The largest noise of the goodput that is believed of calls that take similar times. */
const usualNoise = 6;
/** Successes that each side of a trial needs, per unit of noise, and the most of calls that take similar times. */
const successesPerNoise = 64;
const usualSuccesses = 256;
/** How much of the longest call's duration is remembered after another phase. */
const longestKept = 0.95;

/** Mean, baseline and noise. */
export class RoundTrip {
  #meanMs = 0;
  #firstCalls = 0;
  #longestMs = 0;
  #baselineMs = 0;
  #drainsMs: number[] = [];
  /** Variance over squared mean: 1 for independent arrivals and exponential service times. */
  #durationNoise = 1;
  #goodputNoise = 1;

  /** Smoothed mean duration, in milliseconds. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /**
   * How long a change of the limit takes to show, in milliseconds: a round trip, or the mean age of the calls in flight if that
   * is longer. Where one call of fifty takes a hundred times as long as the others, it holds a permit most of the time.
   */
  get settleMs(): number {
    return this.#meanMs * Math.max(1, this.#durationNoise / 2);
  }

  /** The longest call of late, in milliseconds. Where few calls run at once, all of them may take that long. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Duration of a call when nothing queues, in milliseconds; 0 while unknown. */
  get baselineMs(): number {
    return this.#baselineMs;
  }

  /** The mean duration over the baseline, at least 1; 1 while the baseline is unknown. */
  get ratio(): number {
    return this.#baselineMs > 0 ? Math.max(1, this.#meanMs / this.#baselineMs) : 1;
  }

  /** The larger of the two estimates, as variance over squared mean. */
  get noise(): number {
    return Math.max(this.#durationNoise, this.#goodputNoise);
  }

  /** How many successes each side of a trial needs. */
  get neededSuccesses(): number {
    const most = Math.max(usualSuccesses, 0.75 * successesPerNoise * this.#durationNoise);
    return clamp(Math.ceil(successesPerNoise * this.#goodputNoise), fewestSuccesses, most);
  }

  /** Before there is a grid: a plain mean. @returns whether enough calls have ended to lay the grid. */
  begin(durationMs: number): boolean {
    this.#meanMs += (durationMs - this.#meanMs) / ++this.#firstCalls;
    return this.#firstCalls > fewestSuccesses;
  }

  /** Updates mean and noise from the durations of a phase. */
  learn(phase: Phase): void {
    const { successes, meanMs } = phase;
    this.#longestMs = Math.max(phase.longestMs, longestKept * this.#longestMs);
    if (successes < 4) return;
    if (successes >= 12) {
      const weight = 0.3 * Math.min(1, successes / 100);
      this.#durationNoise += weight * (clamp(phase.dispersion, 0.04, mostNoise) - this.#durationNoise);
    }
    this.#meanMs += (successes > 60 ? 0.7 : 0.3) * (meanMs - this.#meanMs);
  }

  /** Two phases at one limit should have had the same goodput: their difference is noise. */
  learnChance(one: Measurement, other: Measurement): void {
    if (Math.abs(one.lnLimit - other.lnLimit) >= sameLnLimit || one.successes < 8) return;
    const difference = one.lnGoodput - other.lnGoodput;
    const weight = (one.successes * other.successes) / (one.successes + other.successes);
    const most = Math.max(usualNoise, this.#durationNoise);
    this.#goodputNoise += 0.15 * (clamp(difference * difference * weight, 0, most) - this.#goodputNoise);
  }

  /** A phase below the limit is as good as a drain. Lowers the baseline if it was faster, with a margin for noise. */
  lowerBaseline(phase: Phase): void {
    const safeMs = phase.meanMs * (1 + Math.sqrt(this.noise / phase.successes));
    if (this.#baselineMs === 0 || safeMs < this.#baselineMs) this.#baselineMs = safeMs;
  }

  /** The mean duration of a drain. */
  drained(meanMs: number): void {
    this.#drainsMs.push(meanMs);
    if (this.#drainsMs.length > drainsRemembered) this.#drainsMs.shift();
    this.#baselineMs = Math.min(...this.#drainsMs);
  }

  /** The duration without a queue has changed by this factor (in logarithms). */
  rescaleBaseline(lnFactor: number): void {
    this.#baselineMs *= Math.exp(lnFactor);
    this.#drainsMs = [];
  }
}
