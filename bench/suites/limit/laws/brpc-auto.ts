/** Apache brpc's auto limiter: the highest goodput times the lowest latency, and a little more to explore. */
import type { LimitSample } from 'latchkey';
import type { Law } from '../simulation/client.js';
import type { LawContext } from '../simulation/simulate.js';
import { clamp, whole } from './bounds.js';

const windowMs = 1_000;
const fewestCalls = 100;
const mostCalls = 200;
const explore = { least: 0.06, most: 0.3, step: 0.02 };
const weight = 0.1;
const remeasureMs = 50_000;
const remeasureShare = 0.9;

export class BrpcAuto implements Law {
  readonly #random: () => number;
  #limit = 20;
  #fastestMs = -1;
  #peak = -1;
  #explored = explore.most;
  #sinceMs = -1;
  #calls = 0;
  #successes = 0;
  #durationSumMs = 0;
  #nextRemeasureMs = 0;
  #remeasureUntilMs = 0;

  constructor({ random }: LawContext) {
    this.#random = random;
  }

  get limit(): number {
    return whole(this.#limit);
  }

  onSample({ nowMs, durationMs, outcome }: LimitSample): void {
    if (this.#sinceMs < 0) {
      this.#sinceMs = nowMs;
      this.#planRemeasure(nowMs);
    }
    this.#calls++;
    this.#durationSumMs += durationMs;
    if (outcome === 'success') this.#successes++;
    const isLong = nowMs - this.#sinceMs >= windowMs;
    if (this.#calls < fewestCalls || (!isLong && this.#calls < mostCalls)) return;
    if (this.#successes === 0) this.#limit = clamp(this.#limit / 2);
    else this.#judge(nowMs, this.#durationSumMs / this.#successes, this.#successes / (nowMs - this.#sinceMs));
    this.#sinceMs = nowMs;
    this.#calls = 0;
    this.#successes = 0;
    this.#durationSumMs = 0;
  }

  #judge(nowMs: number, meanMs: number, goodput: number): void {
    if (this.#remeasureUntilMs > 0) {
      if (nowMs < this.#remeasureUntilMs) return;
      this.#remeasureUntilMs = 0;
      this.#fastestMs = -1;
    }
    if (this.#fastestMs < 0) this.#fastestMs = meanMs;
    else if (meanMs < this.#fastestMs) this.#fastestMs += weight * (meanMs - this.#fastestMs);
    if (goodput >= this.#peak) this.#peak = goodput;
    else this.#peak += (weight / 10) * (goodput - this.#peak);
    if (nowMs >= this.#nextRemeasureMs) {
      this.#planRemeasure(nowMs);
      this.#remeasureUntilMs = nowMs + 2 * meanMs;
      this.#limit = clamp(Math.ceil(this.#peak * this.#fastestMs * remeasureShare));
      return;
    }
    const hasRoom =
      meanMs <= this.#fastestMs * (1 + explore.least) || goodput <= this.#peak / (1 + explore.least);
    this.#explored = hasRoom
      ? Math.min(explore.most, this.#explored + explore.step)
      : Math.max(explore.least, this.#explored - explore.step);
    this.#limit = clamp(Math.ceil(this.#peak * this.#fastestMs * (1 + this.#explored)));
  }

  #planRemeasure(nowMs: number): void {
    this.#nextRemeasureMs = nowMs + remeasureMs / 2 + (this.#random() * remeasureMs) / 2;
  }
}
