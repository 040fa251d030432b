/**
 * Outages: for a while no call succeeds, at any limit. That says nothing about the right limit, so the target from before
 * the outage comes back with the first success, and what was refused meanwhile leaves no ceiling.
 *
 * All constants are tuned: see the simulation (`npm run bench -- adaptive`).
 */

/** An outage is at least this many refusals in a row. */
const fewestOverloads = 3;
/** It lasts at least this many round trips, so that a refused burst is not mistaken for one. */
const shortestRoundTrips = 2;
/** The next outage within this time is no accident: a quota of a fixed window is used up too early. It may be shorter. */
const repeatsWithinMs = 10_000;
const shortestOfRepeated = 1;
/** A success during an outage splits it: calls must succeed for this many round trips between two of them. */
const shortestUpRoundTrips = 10;
const lowestUpShare = 0.5;

/** Counts the refusals since the last success. */
export class Outage {
  #overloads = 0;
  #lastSuccessMs = Infinity;
  #sinceMs = Infinity;
  #endedMs = -Infinity;
  #upShare = 1;

  /** The last success before the outage that has just ended. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Since the outage before, the share of the time in which calls succeeded; 1 if that was long ago. */
  get upShare(): number {
    return this.#upShare;
  }

  /** Learns how a call ended. @returns whether it has ended an outage. `roundTripMs` is the mean duration of a call. */
  hasEnded(nowMs: number, isOverload: boolean, roundTripMs: number): boolean {
    if (isOverload) {
      this.#overloads++;
      return false;
    }
    this.#sinceMs = this.#lastSuccessMs;
    this.#lastSuccessMs = nowMs;
    const upMs = this.#sinceMs - this.#endedMs;
    const isRepeated = upMs < repeatsWithinMs;
    const shortestMs = (isRepeated ? shortestOfRepeated : shortestRoundTrips) * roundTripMs;
    const hasEnded = this.#overloads >= fewestOverloads && nowMs - this.#sinceMs > shortestMs;
    this.#overloads = 0;
    if (!hasEnded) return false;
    const isWhole = isRepeated && upMs > shortestUpRoundTrips * roundTripMs;
    this.#upShare = isWhole ? Math.max(lowestUpShare, upMs / (nowMs - this.#endedMs)) : 1;
    this.#endedMs = nowMs;
    return true;
  }
}
