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
  #elasticity = 0;

  constructor(from: Measurement, lnJump: number) {
    this.#path = [from];
    this.#lnJump = lnJump;
  }

  /** A cut takes until it has measured enough, or nobody uses even this much, or calls take for ever. */
  static isOver(phase: Phase, slots: number, neededSuccesses: number): boolean {
    const isIdle = phase.started >= 32 && phase.boundShare < 0.5;
    return phase.successes >= neededSuccesses || isIdle || slots >= longestSlots;
  }

  /** @returns whether it is worth halving once more. */
  add(measured: Measurement, min: number): boolean {
    const before = this.#path.at(-1) ?? measured;
    this.#path.push(measured);
    const lnStep = measured.lnLimit - before.lnLimit;
    if (Math.abs(lnStep) < smallestLnStep) return false;
    const elasticity = (measured.lnGoodput - before.lnGoodput) / lnStep;
    if (elasticity < freeBelow && measured.limit > min) return true;
    this.#elasticity = elasticity;
    return false;
  }

  /** Whether there was something to cut: the first halving has not cost too much. */
  get hasCut(): boolean {
    return !(this.#onlyOnce && this.#elasticity > costlyAbove);
  }

  /** The lowest limit that loses nothing. */
  get knee(): number {
    const [first] = this.#path;
    let low: Measurement = first;
    let best = -Infinity;
    let highest = 0;
    for (const point of this.#path) {
      if (point.limit < low.limit) low = point;
      best = Math.max(best, point.lnGoodput);
      highest = Math.max(highest, point.limit);
    }
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
