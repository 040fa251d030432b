/** Envoy's gradient controller: each minute the limit is 3 for fifty calls, and their median is the baseline. */
import type { LimitSample } from 'latchkey';
import type { Law } from '../simulation/client.js';
import type { LawContext } from '../simulation/simulate.js';
import { clamp, largest, whole } from './bounds.js';

const smallest = 3;
const intervalMs = 100;
const baselineEveryMs = 60_000;
const baselineCalls = 50;
const buffer = 0.25;

export class EnvoyGradient implements Law {
  readonly #random: () => number;
  #limit = smallest;
  #limitBefore = smallest;
  #measuring = true;
  #measuringSinceMs = 0;
  #durations: number[] = [];
  #baselineMs = 0;
  #nextMs = intervalMs;
  #nextBaselineMs = Infinity;
  #atSmallest = 0;

  constructor({ random }: LawContext) {
    this.#random = random;
  }

  get limit(): number {
    return whole(this.#limit);
  }

  tick(nowMs: number): void {
    if (!this.#measuring && (nowMs >= this.#nextBaselineMs || this.#atSmallest >= 5)) this.#measure(nowMs);
    if (this.#measuring || nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + intervalMs;
    if (this.#durations.length === 0) return;
    const gradient = clamp((this.#baselineMs * (1 + buffer)) / this.#takeMedian(), 0.5, 2);
    const wanted = this.#limit * gradient;
    const next = clamp(Math.floor(wanted + Math.sqrt(wanted)), smallest, largest);
    this.#atSmallest = next === smallest && this.#limit === smallest ? this.#atSmallest + 1 : 0;
    this.#limit = next;
  }

  onSample({ nowMs, durationMs, outcome }: LimitSample): void {
    if (outcome === 'overload' || nowMs - durationMs < this.#measuringSinceMs) return;
    this.#durations.push(durationMs);
    if (!this.#measuring || this.#durations.length < baselineCalls) return;
    this.#baselineMs = this.#takeMedian();
    this.#limit = this.#limitBefore;
    this.#measuring = false;
    this.#nextBaselineMs = nowMs + baselineEveryMs * (1 + 0.15 * this.#random());
    this.#nextMs = nowMs + intervalMs;
  }

  #measure(nowMs: number): void {
    this.#nextBaselineMs = Infinity;
    this.#limitBefore = this.#limit;
    this.#measuring = true;
    this.#measuringSinceMs = nowMs;
    this.#limit = smallest;
    this.#atSmallest = 0;
    this.#durations = [];
  }

  #takeMedian(): number {
    const sorted = this.#durations.sort((a, b) => a - b);
    this.#durations = [];
    return sorted[Math.floor(sorted.length / 2)]!;
  }
}
