/**
 * Notices that calls suddenly take longer or shorter, long before trials would: the backend has lost half of its
 * workers, or the way to it has become longer. Which of the two, a cut has to tell.
 */
import type { Measurement } from './phase.js';

/** A jump is more than 30 % and more than four and a half standard errors: it interrupts everything. */
const smallestLnJump = 0.26;
const smallestScore = 4.5;
/** After a time when the limit did not bind, calls may take a fifth more than the baseline. */
const bindingAgain = 1.2;
const smoothing = 0.3;
const fewestSuccesses = 12;

export class DurationJump {
  #lnDuration: number | undefined;
  #lnLimit = 0;
  #limitDidNotBind = false;

  /** Nothing to compare with from now on. */
  forget(): void {
    this.#lnDuration = undefined;
  }

  limitDidNotBind(): void {
    this.forget();
    this.#limitDidNotBind = true;
  }

  /** @returns by how much (in logarithms) durations have jumped; 0 when they have not. */
  seen(measured: Measurement, baselineMs: number, noise: number): number {
    if (measured.successes < fewestSuccesses) return 0;
    const { lnLimit, lnDuration } = measured;
    const freed = this.#limitDidNotBind && baselineMs > 0 ? Math.log(baselineMs * bindingAgain) : undefined;
    const reference = this.#lnDuration ?? freed;
    // A limit that has changed may have changed durations as much as itself, where calls queue.
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

/** By how much a value lies outside of what can be explained. */
function beyond(value: number, low: number, high: number): number {
  return value > high ? value - high : Math.min(0, value - low);
}
