/**
 * The usual share of refusals. A broken replica of eight refuses an eighth of the calls at every limit, so cutting the
 * limit for these refusals only loses goodput. The limit is cut when clearly more calls are refused than usual.
 *
 * All constants are tuned: see the simulation (`npm run bench -- adaptive`).
 */
import type { Phase } from './phase.js';

/** Fewer refusals than this are noise. */
const fewestOverloads = 3;
/** The share of refusals that is unusual if there are usually none; the margin grows with the usual share. */
const smallestShare = 0.1;
const marginFactor = 1.5;
/** The count of refusals may be above the usual one by this many standard deviations. */
const deviations = 2;
/** The usual share follows about this many calls, at most half of the way in one phase, and never exceeds a half. */
const memoryCalls = 500;
const largestStep = 0.5;
const largestShare = 0.5;

/** Learns the share from every phase. */
export class UsualRefusals {
  #share = 0;

  /** Between 0 and 0.5. */
  get share(): number {
    return this.#share;
  }

  /** Learns from a phase that has ended. */
  learn({ overloads, ended }: Phase): void {
    if (ended === 0) return;
    const step = Math.min(largestStep, ended / memoryCalls);
    this.#share += step * (Math.min(largestShare, overloads / ended) - this.#share);
  }

  /** Whether this phase had many more refusals than usual, so that its limit may be the cause. */
  areExceeded({ overloads, ended }: Phase): boolean {
    if (overloads < fewestOverloads) return false;
    const usual = this.#share * ended;
    return overloads >= smallestShare * ended + marginFactor * usual + deviations * Math.sqrt(usual);
  }
}
