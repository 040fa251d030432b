/**
 * Where the knee of the backend is, as far as trials tell: a Kalman filter of ln(limit), with a CUSUM that reopens it.
 *
 * Each verdict moves the limit by the gain times the surprise. The gain falls as trials agree, so that the limit comes
 * to rest, and rises again when surprises add up in one direction, because then the knee has moved.
 */
import type { Verdict } from './paired-trial.js';
import { clamp } from './phase.js';

/** How far off ln(limit) is thought to be: at first, after a surprise, and how much that grows from trial to trial. */
const initialVariance = 0.2 ** 2;
const reopenedVariance = 0.25 ** 2;
const drift = 0.03 ** 2;
/** CUSUM of standardised surprises: what is forgiven each time, and the sum that means that the knee has moved. */
const forgiven = 0.3;
const alarm = 3.5;

export class KneeFilter {
  #variance = initialVariance;
  #rising = 0;
  #falling = 0;
  /** Of the trials since the sum of rises was last 0. */
  #risenBy = 0;
  #risenIn = 0;
  #elasticity = 0.3;
  #trials = 0;
  #trialsUntilCut = 8;

  /** Mean elasticity of the last ten trials or so. */
  get elasticity(): number {
    return this.#elasticity;
  }

  /** At least so uncertain from now on. */
  reopen(variance = reopenedVariance): void {
    this.#variance = Math.max(this.#variance, variance);
  }

  /** @returns by how much ln(limit) is to change, and whether the knee is found to have moved up. */
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
   * Trials that all find the backend full while calls wait in it: single steps are lost in noise there, a halving is
   * not. At most once in twenty trials, for it costs.
   */
  wantsCut(ratio: number): boolean {
    const wanted = this.#trialsUntilCut <= 0 && this.#trials >= 12 && this.#elasticity < 0.02 && ratio > 1.5;
    if (wanted) this.#trialsUntilCut = 20;
    return wanted;
  }

  /** Full, and calls wait: a hundredth less each time, where the filter alone would rest on a plateau. */
  #isFull(ratio: number): boolean {
    return this.#trials >= 8 && this.#elasticity < 0.1 && ratio > 1.25;
  }

  /** @returns whether surprises have added up to a knee that lies far above. */
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
 * The elasticity at which more is not worth it. Three parts in a hundred where nothing queues; the more calls wait, the
 * more a step has to bring, up to the 1/ratio that a client sees who alone fills a queue.
 */
function wantedElasticity(ratio: number): number {
  const queueing = Math.min(0.5 / ratio, (Math.max(0, ratio - 1) / 3) ** 4);
  return Math.max(0.03 + 0.03 * (ratio - 1), queueing);
}
