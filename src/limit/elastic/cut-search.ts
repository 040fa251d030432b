/**
 * Cut and verify: halves the limit, and repeats that while it costs no goodput. The knee is the lowest limit, scaled by the
 * goodput that was lost on the way. All constants are tuned: see the simulation (`npm run bench -- adaptive`).
 */
import type { Measurement, Phase } from './phase.js';

/** At a lower elasticity, halving has cost too little to matter. */
const freeBelow = 0.3;
/** At a higher elasticity, the first halving has cost so much that the old limit was right. */
const costlyAbove = 0.45;
/** At a higher elasticity after a jump of the durations, nothing queues: calls just take longer. */
const exogenousAbove = 0.75;
/** A step smaller than this (in logarithms) means that the lowest limit is reached. */
const smallestLnStep = 0.2;
/** A cut that measures nothing ends after this many slots. */
const longestSlots = 64;

/** One search for the knee below the current limit. */
export class CutSearch {
  readonly #path: [Measurement, ...Measurement[]];
  /** The jump of the durations (in logarithms) that started the search; 0 if something else started it. */
  readonly #lnJump: number;
  /** The first measurement may be partly from before the jump. It is repeated before it decides anything. */
  #firstIsDoubtful: boolean;
  #elasticity = 0;

  constructor(from: Measurement, lnJump: number) {
    this.#path = [from];
    this.#lnJump = lnJump;
    this.#firstIsDoubtful = lnJump !== 0;
  }

  /** A cut ends when it has measured enough, when calls do not reach the lower limit, or after the longest time. */
  static isOver(phase: Phase, slots: number, neededSuccesses: number): boolean {
    const isIdle = phase.started >= 32 && phase.boundShare < 0.5;
    return phase.successes >= neededSuccesses || isIdle || slots >= longestSlots;
  }

  /** The limit to try first. */
  get first(): number {
    return this.#path[0].limit / 2;
  }

  /** @returns the limit to try next; `undefined` when the search is over. */
  add(measured: Measurement, min: number): number | undefined {
    const isSecondLook = this.#onlyOnce && measured.limit >= this.#path[0].limit;
    if (isSecondLook) this.#path[0] = measured;
    else this.#path.push(measured);
    const [high, low] = this.#path.slice(-2) as [Measurement, Measurement];
    const lnStep = low.lnLimit - high.lnLimit;
    if (Math.abs(lnStep) < smallestLnStep) return undefined;
    this.#elasticity = (low.lnGoodput - high.lnGoodput) / lnStep;
    if (this.#elasticity < freeBelow) return low.limit > min ? low.limit / 2 : undefined;
    if (!this.#onlyOnce || !this.#firstIsDoubtful) return undefined;
    this.#firstIsDoubtful = false;
    return high.limit;
  }

  /** Whether a lower limit is better: the first halving has not cost too much. */
  get hasCut(): boolean {
    return !(this.#onlyOnce && this.#elasticity > costlyAbove);
  }

  /** The lowest limit that loses no goodput. */
  get knee(): number {
    const path = this.#firstIsDoubtful ? this.#path.slice(1) : this.#path;
    const low = path.reduce((lowest, point) => (point.limit < lowest.limit ? point : lowest));
    const best = Math.max(...path.map(({ lnGoodput }) => lnGoodput));
    const highest = Math.max(...path.map(({ limit }) => limit));
    return Math.min(highest, low.limit * Math.exp(best - low.lnGoodput));
  }

  /** The jump (in logarithms) if its cause was not a queue in the backend; 0 if it was a queue. */
  get lnExogenousJump(): number {
    return this.#onlyOnce && this.#elasticity > exogenousAbove ? this.#lnJump : 0;
  }

  get #onlyOnce(): boolean {
    return this.#path.length === 2;
  }
}
