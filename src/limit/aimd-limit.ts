/**
 * AimdLimit: one more for every success while the limit is in use, a tenth less for every overload; TCP's old law.
 *
 * For backends that say no (429, 503, a full pool): it finds the largest limit that is not refused. A backend that
 * only becomes slower never says no, and the limit then grows to `max`: set one.
 * Cost: a handful of additions per sample. Lineage: Jacobson 1988; Netflix concurrency-limits' AIMDLimit.
 */
import {
  checkSample,
  type LimitAlgorithm,
  type LimitBounds,
  type LimitSample,
  limitBounds,
} from './limit-algorithm.js';

const backoffRatio = 0.9;

export class AimdLimit implements LimitAlgorithm {
  readonly #min: number;
  readonly #max: number;
  #limit: number;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: LimitBounds = {}) {
    const { initial, min, max } = limitBounds(options);
    this.#min = min;
    this.#max = max;
    this.#limit = initial;
  }

  get limit(): number {
    return this.#limit;
  }

  onSample(sample: LimitSample): void {
    checkSample(sample);
    const { held, outcome } = sample;
    if (outcome === 'overload') this.#limit = Math.max(this.#min, Math.floor(this.#limit * backoffRatio));
    // A limit that is not in use must not grow: nothing has shown that more would be well.
    else if (held * 2 >= this.#limit) this.#limit = Math.min(this.#max, this.#limit + 1);
  }

  snapshot(): Readonly<Record<string, number | string>> {
    return { limit: this.#limit };
  }
}
