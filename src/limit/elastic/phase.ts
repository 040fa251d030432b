/**
 * One stretch of time at one limit, and what the calls that ended in it tell.
 *
 * The first round trip is not counted: what ends then was started at the limit before. Goodput is successes per
 * millisecond; it is preferred to the mean duration, because in a short phase the slow calls have not ended yet.
 */

/**
 * 'base': the limit believed in. 'probe': one step above it. 'drain': well below it, so that nothing queues in the
 * backend. 'cut': half of the last limit, to see whether that costs anything.
 */
export type Purpose = 'base' | 'probe' | 'drain' | 'cut';

/** What the next phase is to be. */
export interface Plan {
  readonly purpose: Purpose;
  readonly limit: number;
}

/** What a phase has measured. Logarithms, because all that matters is ratios. */
export interface Measurement {
  readonly limit: number;
  readonly lnLimit: number;
  readonly lnGoodput: number;
  readonly lnDuration: number;
  readonly successes: number;
}

export const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));

/** Fewer successes than this say nothing of the backend. */
export const fewestSuccesses = 16;
/** A call counts as held back by the limit when it found so much of it in use. */
const boundFrom = 0.85;
/** Fewer calls than this say nothing of whether the limit binds. */
const boundNeedsCalls = 4;

export class Phase {
  readonly purpose: Purpose;
  readonly limit: number;
  readonly startedMs: number;
  readonly #settleMs: number;
  #countingSinceMs: number | undefined;
  #lastMs: number;
  #successes = 0;
  #durationSumMs = 0;
  #durationSquares = 0;
  #ended = 0;
  #overloads = 0;
  #started = 0;
  #bound = 0;

  constructor(purpose: Purpose, limit: number, startedMs: number, settleMs: number) {
    this.purpose = purpose;
    this.limit = limit;
    this.startedMs = startedMs;
    this.#settleMs = settleMs;
    this.#lastMs = startedMs;
  }

  /** @returns whether the call was started in this phase and met with overload: the limit's own doing. */
  add(nowMs: number, durationMs: number, held: number, overload: boolean): boolean {
    const startedMs = nowMs - durationMs;
    this.#lastMs = nowMs;
    this.#ended++;
    if (startedMs > this.startedMs) {
      this.#started++;
      if (held >= boundFrom * this.limit) this.#bound++;
    }
    if (this.#countingSinceMs === undefined) {
      if (nowMs - this.startedMs >= this.#settleMs) this.#countingSinceMs = nowMs;
    } else if (!overload) {
      this.#successes++;
      this.#durationSumMs += durationMs;
      this.#durationSquares += durationMs * durationMs;
    }
    if (!overload || startedMs < this.startedMs) return false;
    this.#overloads++;
    return true;
  }

  /** Calls that ended, and those among them that met with overload although they were started in this phase. */
  get ended(): number {
    return this.#ended;
  }
  get overloads(): number {
    return this.#overloads;
  }

  /** Calls that succeeded after the first round trip. */
  get successes(): number {
    return this.#successes;
  }

  /** For how long it has counted; 0 when the first round trip has not passed yet. */
  get countedMs(): number {
    return this.#countingSinceMs === undefined ? 0 : this.#lastMs - this.#countingSinceMs;
  }

  get started(): number {
    return this.#started;
  }

  /** The share of the calls started here that found the limit in use; 0 when there were too few. */
  get boundShare(): number {
    return this.#started >= boundNeedsCalls ? this.#bound / this.#started : 0;
  }

  /** `NaN` when nothing succeeded. */
  get meanMs(): number {
    return this.#durationSumMs / this.#successes;
  }

  /** Variance of the durations over the square of their mean. */
  get dispersion(): number {
    return Math.max(0, this.#durationSquares / this.#successes / this.meanMs ** 2 - 1);
  }

  measured(fallbackMs: number): Measurement {
    const successes = this.#successes;
    return {
      limit: this.limit,
      lnLimit: Math.log(this.limit),
      // Half a success where there was none, for a logarithm's sake.
      lnGoodput: Math.log(Math.max(successes, 0.5) / Math.max(1e-3, this.countedMs)),
      lnDuration: Math.log(successes > 0 ? this.meanMs : fallbackMs),
      successes: Math.max(1, successes),
    };
  }
}
