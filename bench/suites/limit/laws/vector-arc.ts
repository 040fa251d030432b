/** Vector's adaptive request concurrency: one more per round trip while calls are no slower than of late. */
import type { LimitSample } from 'latchkey';
import type { Law } from '../simulation/client.js';
import { largest, smallest } from './bounds.js';

const weight = 0.4;
const deviations = 2.5;
const decrease = 0.9;

export class VectorArc implements Law {
  #limit = 1;
  #pastMs: number | undefined;
  #pastVariance = 0;
  #nextMs = 0;
  #sumMs = 0;
  #calls = 0;
  #anyOverload = false;
  #reached = false;

  get limit(): number {
    return this.#limit;
  }

  onSample({ nowMs, durationMs, held, limit, outcome }: LimitSample): void {
    if (held >= limit) this.#reached = true;
    if (outcome === 'overload') this.#anyOverload = true;
    else {
      this.#sumMs += durationMs;
      this.#calls++;
    }
    const meanMs = this.#calls > 0 ? this.#sumMs / this.#calls : undefined;
    if (this.#pastMs === undefined) {
      this.#pastMs = meanMs;
      if (meanMs !== undefined) this.#nextMs = nowMs + meanMs;
    } else if (nowMs >= this.#nextMs) this.#judge(nowMs, meanMs, this.#pastMs);
  }

  #judge(nowMs: number, meanMs: number | undefined, pastMs: number): void {
    const tooSlowMs = pastMs + deviations * Math.sqrt(this.#pastVariance);
    const isFast = meanMs !== undefined && meanMs <= pastMs;
    if (this.#reached && !this.#anyOverload && isFast) this.#limit = Math.min(largest, this.#limit + 1);
    else if (this.#anyOverload || (meanMs ?? 0) >= tooSlowMs) {
      this.#limit = Math.max(smallest, Math.floor(this.#limit * decrease));
    }
    if (meanMs !== undefined) {
      const difference = meanMs - pastMs;
      const change = weight * difference;
      this.#pastMs = pastMs + change;
      this.#pastVariance = (1 - weight) * (this.#pastVariance + difference * change);
    }
    this.#nextMs = nowMs + (this.#pastMs ?? pastMs);
    this.#sumMs = 0;
    this.#calls = 0;
    this.#anyOverload = false;
    this.#reached = false;
  }
}
