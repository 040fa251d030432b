/** Netflix' VegasLimit as it is without windows: the fastest single call is the baseline. */
import type { LimitSample } from 'latchkey';
import type { Law } from '../simulation/client.js';
import type { LawContext } from '../simulation/simulate.js';
import { clamp, step, whole } from './bounds.js';

export class VegasPerCall implements Law {
  readonly #random: () => number;
  #limit = 20;
  #fastestMs = Infinity;
  #calls = 0;
  #jitter: number;

  constructor({ random }: LawContext) {
    this.#random = random;
    this.#jitter = 0.5 + random() / 2;
  }

  get limit(): number {
    return whole(this.#limit);
  }

  onSample({ durationMs, held, outcome }: LimitSample): void {
    if (++this.#calls >= this.#jitter * 30 * this.#limit) {
      this.#jitter = 0.5 + this.#random() / 2;
      this.#calls = 0;
      this.#fastestMs = durationMs;
    } else if (durationMs < this.#fastestMs) this.#fastestMs = durationMs;
    else this.#limit = clamp(this.#next(durationMs, held, outcome));
  }

  #next(durationMs: number, held: number, outcome: LimitSample['outcome']): number {
    const limit = this.#limit;
    const by = step(limit);
    const queued = Math.ceil(limit * (1 - this.#fastestMs / durationMs));
    if (outcome === 'overload') return limit - by;
    if (held * 2 < limit) return limit;
    if (queued <= by) return limit + 6 * by;
    if (queued < 3 * by) return limit + by;
    return queued > 6 * by ? limit - by : limit;
  }
}
