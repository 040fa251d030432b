/**
 * Detects that calls suddenly take longer or shorter, long before trials would.
 *
 * Either the backend has lost workers, or the network has become slower. A cut tells which. All constants are tuned: see
 * the simulation (`npm run bench -- adaptive`).
 */
import type { Measurement } from './phase.js';

/** A jump is more than 30 % (0.26 in logarithms) and more than 4.5 standard errors. It ends the current phase. */
const smallestLnJump = 0.26;
const smallestScore = 4.5;
/** When calls reach the limit again, their durations may be this many times the baseline without being a jump. */
const bindingAgain = 1.2;
/** Weight of the newest duration in the reference. */
const smoothing = 0.3;
/** A base with fewer successes is too noisy to compare. */
const fewestSuccesses = 12;

/** Compares the durations of each base with a smoothed reference. */
export class DurationJump {
  #lnDuration: number | undefined;
  #lnLimit = 0;
  #limitDidNotBind = false;

  /** Drops the reference. */
  forget(): void {
    this.#lnDuration = undefined;
  }

  /** Calls did not reach the limit: the next reference is the baseline. */
  limitDidNotBind(): void {
    this.forget();
    this.#limitDidNotBind = true;
  }

  /** @returns the jump of the durations (in logarithms), 0 without one. */
  seen(measured: Measurement, baselineMs: number, noise: number): number {
    if (measured.successes < fewestSuccesses) return 0;
    const { lnLimit, lnDuration } = measured;
    const freed = this.#limitDidNotBind && baselineMs > 0 ? Math.log(baselineMs * bindingAgain) : undefined;
    const reference = this.#lnDuration ?? freed;
    // If calls queue, a changed limit may have changed durations by as much.
    const lnStep = this.#lnDuration === undefined ? 0 : lnLimit - this.#lnLimit;
    this.#limitDidNotBind = false;
    this.#lnLimit = lnLimit;
    this.#lnDuration = lnDuration;
    if (reference === undefined) return 0;
    const difference = beyond(lnDuration - reference, Math.min(0, lnStep), Math.max(0, lnStep));
    const score = difference / Math.sqrt((1.3 * noise) / measured.successes);
    if (Math.abs(difference) <= smallestLnJump || Math.abs(score) <= smallestScore) {
      this.#lnDuration = reference + smoothing * (lnDuration - reference);
      return 0;
    }
    this.forget();
    return difference;
  }
}

/** The distance of `value` from the range [low, high]; 0 inside it. */
function beyond(value: number, low: number, high: number): number {
  return value > high ? value - high : Math.min(0, value - low);
}
