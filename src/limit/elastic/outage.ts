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

/** Counts the refusals since the last success. */
export class Outage {
  #overloads = 0;
  #lastSuccessMs = Infinity;
  #sinceMs = Infinity;

  /** The last success before the outage that has just ended. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Learns how a call ended. @returns whether it has ended an outage. `roundTripMs` is the mean duration of a call. */
  hasEnded(nowMs: number, isOverload: boolean, roundTripMs: number): boolean {
    if (isOverload) {
      this.#overloads++;
      return false;
    }
    this.#sinceMs = this.#lastSuccessMs;
    this.#lastSuccessMs = nowMs;
    const hasEnded =
      this.#overloads >= fewestOverloads && nowMs - this.#sinceMs > shortestRoundTrips * roundTripMs;
    this.#overloads = 0;
    return hasEnded;
  }
}
