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
/** A drain is short and rare, so it counts for more. */
const memoryCallsOfDrain = 100;
/** Up to this share, refusals count as usual although no drain has shown that they are. */
const unprovenShare = 0.05;

/**
 * The share rises only in drains: at half of the limit, refusals that depend on the limit are gone. Otherwise a fleet that keeps
 * a backend overloaded would take its own refusals for usual, and not give way.
 */
export class UsualRefusals {
  #share = 0;

  /** Between 0 and 0.5. */
  get share(): number {
    return this.#share;
  }

  /** Learns from a phase that has ended. */
  learn({ overloads, ended }: Phase, isDrain: boolean): void {
    if (ended === 0) return;
    const seen = Math.min(largestShare, overloads / ended);
    const most = isDrain ? largestShare : Math.max(this.#share, unprovenShare);
    const step = Math.min(largestStep, ended / (isDrain ? memoryCallsOfDrain : memoryCalls));
    this.#share += step * (Math.min(most, seen) - this.#share);
  }

  /** Whether many calls of a phase were refused. */
  areMany({ overloads, ended }: Phase): boolean {
    return overloads >= fewestOverloads && overloads >= smallestShare * ended;
  }

  /** Whether this phase had many more refusals than usual, so that its limit may be the cause. */
  areExceeded({ purpose, limit, overloads, ended }: Phase): boolean {
    // In a climb a step back answers the first refusals.
    if (overloads < fewestOverloads || (purpose === 'climb' && ended < limit)) return false;
    const usual = this.#share * ended;
    return overloads >= smallestShare * ended + marginFactor * usual + deviations * Math.sqrt(usual);
  }
}
