/**
 * A phase: a stretch of time at one limit, and the counts of the calls that ended in it.
 *
 * The first round trip is not counted, because calls that end then started at the previous limit. Goodput is successes per
 * millisecond. It is preferred to the mean duration, because in a short phase the slow calls have not ended yet.
 */

/**
 * 'base': the current target. 'probe': one step above it. 'drain': well below it, so that the backend's queue empties.
 * 'cut': half of the last limit, to see whether that costs goodput. After refusals where calls take long, 'relief' is a drain at once, and 'climb'
 * the way up from the target.
 */
export type Purpose = 'base' | 'probe' | 'drain' | 'cut' | 'relief' | 'climb';

/** The next phase. */
export interface Plan {
  readonly purpose: Purpose;
  readonly limit: number;
}

/** The results of a phase, as logarithms, because the law compares ratios only. */
export interface Measurement {
  readonly limit: number;
  readonly lnLimit: number;
  readonly lnGoodput: number;
  readonly lnDuration: number;
  readonly successes: number;
}

export const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));

/** With fewer successes, a measurement is too noisy to use. Tuned: see the simulation. */
export const fewestSuccesses = 16;
/** A call counts as bound by the limit when it found at least this share of the limit in use. Tuned. */
export const boundFrom = 0.85;
/** With fewer calls, it is unknown whether calls reach the limit. Tuned. */
const boundNeedsCalls = 4;
/** A gap between two ends is a stall from this many mean gaps and from this many round trips on, and beyond the longest call. Tuned. */
const stallMeanGaps = 20;
const stallRoundTrips = 2;

/** Counts calls; decides nothing. */
export class Phase {
  readonly purpose: Purpose;
  /** Changes in a climb only. */
  limit: number;
  readonly startedMs: number;
  readonly #settleMs: number;
  #countingSinceMs: number | undefined;
  #lastMs: number;
  #successes = 0;
  #durationSumMs = 0;
  #durationSquares = 0;
  #longestMs = 0;
  #longestGapMs = 0;
  #ended = 0;
  #overloads = 0;
  #overloadMs = 0;
  /** When the first of its calls started, of those that have ended. */
  #firstMs = Infinity;
  #started = 0;
  #bound = 0;

  constructor(purpose: Purpose, limit: number, startedMs: number, settleMs: number) {
    this.purpose = purpose;
    this.limit = limit;
    this.startedMs = startedMs;
    this.#settleMs = settleMs;
    this.#lastMs = startedMs;
  }

  /** @returns whether the call started in this phase and was refused, so that this limit may have caused it. */
  add(nowMs: number, durationMs: number, held: number, overload: boolean): boolean {
    const startedMs = nowMs - durationMs;
    // A gap during which no call was in flight is a lack of callers, not a stall.
    this.#longestGapMs = Math.max(this.#longestGapMs, Math.min(nowMs - this.#lastMs, durationMs));
    this.#lastMs = nowMs;
    this.#ended++;
    if (startedMs > this.startedMs) {
      this.#started++;
      this.#firstMs = Math.min(this.#firstMs, startedMs);
      if (held >= boundFrom * this.limit) this.#bound++;
    }
    if (this.#countingSinceMs === undefined) {
      if (nowMs - this.startedMs >= this.#settleMs) this.#countingSinceMs = nowMs;
    } else if (!overload) {
      this.#successes++;
      this.#durationSumMs += durationMs;
      this.#durationSquares += durationMs * durationMs;
      this.#longestMs = Math.max(this.#longestMs, durationMs);
    }
    if (!overload || startedMs < this.startedMs) return false;
    this.#overloads++;
    this.#overloadMs += durationMs;
    return true;
  }

  /** Calls that ended, and the number of them that started in this phase and were refused. */
  get ended(): number {
    return this.#ended;
  }
  get overloads(): number {
    return this.#overloads;
  }

  /** The share of the limit that was occupied by calls that were refused; 1 if no time has passed in which to occupy it. */
  get refusedShare(): number {
    const passedMs = this.#lastMs - this.#firstMs;
    return passedMs > 0 ? this.#overloadMs / (this.limit * passedMs) : 1;
  }

  /** Calls that succeeded after the first round trip of the phase. */
  get successes(): number {
    return this.#successes;
  }

  /** How long it has counted, in milliseconds; 0 during the first round trip. */
  get countedMs(): number {
    return this.#countingSinceMs === undefined ? 0 : this.#lastMs - this.#countingSinceMs;
  }

  /** Calls that started in this phase and have ended. */
  get started(): number {
    return this.#started;
  }

  /**
   * Whether no call ended for a while, as during a garbage collection of the backend: then durations and goodput say
   * nothing about the limit. `longestMs` is the longest call of late.
   */
  hasStalled(roundTripMs: number, longestMs: number): boolean {
    const meanGapMs = (this.#lastMs - this.startedMs - this.#longestGapMs) / this.#ended;
    return this.#longestGapMs > Math.max(stallMeanGaps * meanGapMs, stallRoundTrips * roundTripMs, longestMs);
  }

  /** The share of the calls started here that were bound by the limit; 0 if there were too few calls. */
  get boundShare(): number {
    return this.#started >= boundNeedsCalls ? this.#bound / this.#started : 0;
  }

  /** Mean duration of the successes, in milliseconds; `NaN` without one. */
  get meanMs(): number {
    return this.#durationSumMs / this.#successes;
  }

  /** The longest duration of the successes, in milliseconds. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Squared coefficient of variation of the durations. */
  get dispersion(): number {
    return Math.max(0, this.#durationSquares / this.#successes / this.meanMs ** 2 - 1);
  }

  /** `fallbackMs` stands for the mean duration if nothing succeeded. */
  measured(fallbackMs: number): Measurement {
    const successes = this.#successes;
    return {
      limit: this.limit,
      lnLimit: Math.log(this.limit),
      // ln(0) is -Infinity: count half a success if there was none.
      lnGoodput: Math.log(Math.max(successes, 0.5) / Math.max(1e-3, this.countedMs)),
      lnDuration: Math.log(successes > 0 ? this.meanMs : fallbackMs),
      successes: Math.max(1, successes),
    };
  }
}
