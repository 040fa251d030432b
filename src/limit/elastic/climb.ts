/**
 * The way back after refusals where calls take long: a step up for every few successes, while nothing is refused and
 * nothing queues.
 *
 * There a trial takes minutes, and a refused burst says little about the level that is refused in the long run. With short
 * calls trials are quick enough. All constants are tuned: see the simulation (`npm run bench -- adaptive`).
 */
/** The limit grows by a third per round trip. */
const successesPerStep = 3;
/** Calls queue if they take this many times as long as in an empty backend. */
const queuesFrom = 1.3;
/** The recent duration is smoothed over about this many calls. */
const memoryCalls = 32;

/** One climb: when it may take a step, when it must step back, when it is over. */
export class Climb {
  /** Where it began; steps back end here, because a cut decides about lower limits. */
  readonly lowest: number;
  #recentMs = 0;
  #successes = 0;
  #successesSinceStep = 0;
  #refusedMs = -Infinity;
  #steppedMs: number;

  constructor(limit: number, nowMs: number) {
    this.lowest = limit;
    this.#steppedMs = nowMs;
  }

  /** @returns whether this is the first refusal for a round trip, so that the last step was one too many. */
  isStopped(nowMs: number, roundTripMs: number): boolean {
    const isFirst = this.#isQuiet(nowMs, roundTripMs);
    this.#refusedMs = nowMs;
    return isFirst;
  }

  /** Learns from a call that has succeeded. */
  add(durationMs: number): void {
    this.#recentMs += (durationMs - this.#recentMs) / Math.min(memoryCalls, ++this.#successes);
    this.#successesSinceStep++;
  }

  /** @returns whether a step up is taken: nothing was refused for a round trip, and calls are as fast as in an empty backend. */
  step(nowMs: number, roundTripMs: number, unqueuedMs: number): boolean {
    const isFree = this.#isQuiet(nowMs, roundTripMs) && this.#recentMs < queuesFrom * unqueuedMs;
    if (!isFree || this.#successesSinceStep < successesPerStep) return false;
    this.#successesSinceStep = 0;
    this.#steppedMs = nowMs;
    return true;
  }

  /** Whether there was no step for a slot, which is at least three round trips. */
  isOver(nowMs: number, slotMs: number): boolean {
    return nowMs - this.#steppedMs >= slotMs;
  }

  #isQuiet(nowMs: number, roundTripMs: number): boolean {
    return nowMs - this.#refusedMs > roundTripMs;
  }
}
