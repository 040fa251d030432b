/**
 * What a round trip takes now, what it takes when nothing queues, and how much chance is in what is measured.
 *
 * Only a drain measures the baseline: a remembered minimum is the luckiest call of a distribution, and a long average
 * absorbs an overload that lasts. Chance is known from the figures themselves: from how much goodput differs between
 * phases at one limit, and from how much durations differ inside a phase.
 */
import { clamp, fewestSuccesses, type Measurement, type Phase } from './phase.js';

/** Limits that differ by less than this (in logarithms) are one limit. */
const sameLnLimit = 0.06;
/** Two drains, so that one that other clients spoiled does not last. */
const drainsRemembered = 2;

export class RoundTrip {
  #meanMs = 0;
  #firstCalls = 0;
  #baselineMs = 0;
  #drainsMs: number[] = [];
  /** Variance over squared mean: 1 is what independent arrivals and exponential service have. */
  #durationNoise = 1;
  #goodputNoise = 1;

  /** Smoothed mean. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** How long a call takes when nothing queues; 0 while unknown. */
  get baselineMs(): number {
    return this.#baselineMs;
  }

  /** How many times the baseline a round trip takes now. */
  get ratio(): number {
    return this.#baselineMs > 0 ? Math.max(1, this.#meanMs / this.#baselineMs) : 1;
  }

  get noise(): number {
    return Math.max(this.#durationNoise, this.#goodputNoise);
  }

  /** How many successes one side of a trial needs to be worth anything. */
  get neededSuccesses(): number {
    return clamp(Math.ceil(64 * this.#goodputNoise), fewestSuccesses, 256);
  }

  /** Before there is a grid: a plain mean. @returns whether enough is known to lay one. */
  begin(durationMs: number): boolean {
    this.#meanMs += (durationMs - this.#meanMs) / ++this.#firstCalls;
    return this.#firstCalls > fewestSuccesses;
  }

  learn(phase: Phase): void {
    const { successes, meanMs } = phase;
    if (successes < 4) return;
    if (successes >= 12) {
      const weight = 0.3 * Math.min(1, successes / 100);
      this.#durationNoise += weight * (clamp(phase.dispersion, 0.04, 4) - this.#durationNoise);
    }
    this.#meanMs += (successes > 60 ? 0.7 : 0.3) * (meanMs - this.#meanMs);
  }

  /** Two phases at one limit should have had the same goodput: what they differ by is chance. */
  learnChance(one: Measurement, other: Measurement): void {
    if (Math.abs(one.lnLimit - other.lnLimit) >= sameLnLimit || one.successes < 8) return;
    const difference = one.lnGoodput - other.lnGoodput;
    const weight = (one.successes * other.successes) / (one.successes + other.successes);
    this.#goodputNoise += 0.15 * (clamp(difference * difference * weight, 0, 6) - this.#goodputNoise);
  }

  /** A phase with room to spare was as good as a drain, if it was faster; with a margin for chance. */
  lowerBaseline(phase: Phase): void {
    const safeMs = phase.meanMs * (1 + Math.sqrt(this.noise / phase.successes));
    if (this.#baselineMs === 0 || safeMs < this.#baselineMs) this.#baselineMs = safeMs;
  }

  drained(meanMs: number): void {
    this.#drainsMs.push(meanMs);
    if (this.#drainsMs.length > drainsRemembered) this.#drainsMs.shift();
    this.#baselineMs = Math.min(...this.#drainsMs);
  }

  /** The backend's own time has changed by so much (in logarithms), not its queue. */
  rescaleBaseline(lnFactor: number): void {
    this.#baselineMs *= Math.exp(lnFactor);
    this.#drainsMs = [];
  }
}
