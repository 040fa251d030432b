/**
 * Notices that calls at one limit suddenly take longer or shorter, long before trials would: the backend has lost half
 * of its workers, or the way to it has become longer. Which of the two, a cut has to tell.
 */
import type { Measurement } from './phase.js';

/** A jump is more than 30 % and more than four and a half standard errors: it interrupts everything. */
const smallestLnJump = 0.26;
const smallestScore = 4.5;
/** Limits that differ by less than this (in logarithms) are compared as if they were one. */
const sameLnLimit = 0.1;
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
    if (this.#lnDuration === undefined && this.#limitDidNotBind && baselineMs > 0) {
      this.#compareWith(Math.log(baselineMs * bindingAgain), measured.lnLimit);
    }
    this.#limitDidNotBind = false;
    const reference = this.#lnDuration;
    if (reference === undefined || Math.abs(measured.lnLimit - this.#lnLimit) >= sameLnLimit) {
      this.#compareWith(measured.lnDuration, measured.lnLimit);
      return 0;
    }
    const difference = measured.lnDuration - reference;
    const score = difference / Math.sqrt((1.3 * noise) / measured.successes);
    if (Math.abs(difference) <= smallestLnJump || Math.abs(score) <= smallestScore) {
      this.#lnDuration = reference + smoothing * difference;
      return 0;
    }
    this.forget();
    return difference;
  }

  #compareWith(lnDuration: number, lnLimit: number): void {
    this.#lnDuration = lnDuration;
    this.#lnLimit = lnLimit;
  }
}
