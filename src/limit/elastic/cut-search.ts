/**
 * Cut and verify: halve the limit, and again while that costs no goodput. The knee then is the low limit, scaled by the
 * goodput that was lost on the way.
 */
import type { Measurement, Phase } from './phase.js';

/** Less elastic than this: halving has cost nothing worth keeping. */
const freeBelow = 0.3;
/** More elastic than this: the first halving has cost so much that there was nothing to cut. */
const costlyAbove = 0.45;
/** As elastic as this after a jump of the durations: nothing queues, calls just take longer. */
const exogenousAbove = 0.75;
/** Steps smaller than this (in logarithms) come from the lowest limit: there is nothing left to halve. */
const smallestLnStep = 0.2;
const longestSlots = 64;

export class CutSearch {
  readonly #path: [Measurement, ...Measurement[]];
  /** By how much (in logarithms) durations had jumped when the search began; 0 when that was not the reason. */
  readonly #lnJump: number;
  /** What was measured at first may be partly from before the jump, and is to be measured again before it is believed. */
  #firstIsDoubtful: boolean;
  #elasticity = 0;

  constructor(from: Measurement, lnJump: number) {
    this.#path = [from];
    this.#lnJump = lnJump;
    this.#firstIsDoubtful = lnJump !== 0;
  }

  /** A cut takes until it has measured enough, or nobody uses even this much, or calls take for ever. */
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

  /** Whether there was something to cut: the first halving has not cost too much. */
  get hasCut(): boolean {
    return !(this.#onlyOnce && this.#elasticity > costlyAbove);
  }

  /** The lowest limit that loses nothing. */
  get knee(): number {
    const path = this.#firstIsDoubtful ? this.#path.slice(1) : this.#path;
    const low = path.reduce((lowest, point) => (point.limit < lowest.limit ? point : lowest));
    const best = Math.max(...path.map(({ lnGoodput }) => lnGoodput));
    const highest = Math.max(...path.map(({ limit }) => limit));
    return Math.min(highest, low.limit * Math.exp(best - low.lnGoodput));
  }

  /** By how much (in logarithms) calls take longer for a reason that is no queue; 0 when a queue it was. */
  get lnExogenousJump(): number {
    return this.#onlyOnce && this.#elasticity > exogenousAbove ? this.#lnJump : 0;
  }

  get #onlyOnce(): boolean {
    return this.#path.length === 2;
  }
}
