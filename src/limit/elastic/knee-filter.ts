/**
 * Estimates the knee of the backend from trials: a Kalman filter of ln(limit), with a CUSUM that makes it alert again.
 *
 * Each verdict moves the limit by the gain times the surprise. The gain falls while trials agree, so the limit settles. It
 * rises again when surprises add up in one direction, because then the knee has moved. All constants are tuned: see the
 * simulation (`npm run bench -- adaptive`).
 */
import type { Verdict } from './paired-trial.js';
import { clamp } from './phase.js';

/** Variance of ln(limit): at first, after an alarm, and its growth per trial. */
const initialVariance = 0.2 ** 2;
const reopenedVariance = 0.25 ** 2;
const drift = 0.03 ** 2;
/** CUSUM of standardised surprises: the slack per trial, and the sum that means that the knee has moved. */
const forgiven = 0.3;
const alarm = 3.5;

/** The filter's state; a new one is made whenever the knee may be elsewhere. */
export class KneeFilter {
  #variance = initialVariance;
  #rising = 0;
  #falling = 0;
  /** Sum and number of the elasticities since `#rising` was last 0. */
  #risenBy = 0;
  #risenIn = 0;
  #elasticity = 0.3;
  #trials = 0;
  #trialsUntilCut = 8;

  /** Smoothed elasticity of about the last ten trials. */
  get elasticity(): number {
    return this.#elasticity;
  }

  /** Raises the variance to at least this. */
  reopen(variance = reopenedVariance): void {
    this.#variance = Math.max(this.#variance, variance);
  }

  /** @returns the change of ln(limit), and whether the knee has moved far up. `ratio`: round trip over baseline. */
  add(verdict: Verdict, ratio: number): { lnChange: number; movedUp: boolean } {
    const elasticity = clamp(verdict.elasticity, -1, 2);
    this.#trials++;
    this.#trialsUntilCut--;
    this.#elasticity += Math.max(0.1, 1 / (this.#trials + 2)) * (elasticity - this.#elasticity);
    const surprise = (elasticity - wantedElasticity(ratio)) * verdict.lnStep;
    const noise = (verdict.error * verdict.lnStep) ** 2;
    const gain = this.#variance / (this.#variance + noise);
    const score = surprise / Math.sqrt(this.#variance + noise);
    this.#variance = (1 - gain) * this.#variance + drift;
    const nudge = this.#isFull(ratio) ? Math.log(0.99) : 0;
    return { lnChange: gain * surprise + nudge, movedUp: this.#sumUp(score, elasticity) && ratio < 1.5 };
  }

  /**
   * Whether trials keep finding the backend full while calls wait in it. Single steps are lost in noise there, a halving is
   * not. At most once in twenty trials, because a cut costs goodput.
   */
  wantsCut(ratio: number): boolean {
    const wanted = this.#trialsUntilCut <= 0 && this.#trials >= 12 && this.#elasticity < 0.02 && ratio > 1.5;
    if (wanted) this.#trialsUntilCut = 20;
    return wanted;
  }

  /** Full, and calls wait: the filter alone would rest on a plateau, so each trial also lowers the limit by 1 %. */
  #isFull(ratio: number): boolean {
    return this.#trials >= 8 && this.#elasticity < 0.1 && ratio > 1.25;
  }

  /** @returns whether surprises have added up to a knee far above the limit. */
  #sumUp(score: number, elasticity: number): boolean {
    this.#rising = Math.max(0, this.#rising + score - forgiven);
    this.#falling = Math.max(0, this.#falling - score - forgiven);
    this.#risenBy = this.#rising > 0 ? this.#risenBy + elasticity : 0;
    this.#risenIn = this.#rising > 0 ? this.#risenIn + 1 : 0;
    const rose = this.#rising > alarm;
    if (!rose && this.#falling <= alarm) return false;
    const isFar = rose && this.#risenBy / this.#risenIn > 0.5;
    this.#rising = 0;
    this.#falling = 0;
    this.reopen();
    return isFar;
  }
}

/**
 * The elasticity below which a higher limit is not worth it: 0.03 if nothing queues, and more the longer calls wait.
 * The upper bound is half of 1/ratio, the elasticity that a single client measures while it fills a queue.
 */
function wantedElasticity(ratio: number): number {
  const queueing = Math.min(0.5 / ratio, (Math.max(0, ratio - 1) / 3) ** 4);
  return Math.max(0.03 + 0.03 * (ratio - 1), queueing);
}
