/**
 * AimdLimit: additive increase, multiplicative decrease, the law of TCP. The limit grows by 1 for every success while it is
 * in use, and falls by a tenth for every overload.
 *
 * Invariants
 *   AI1  The limit stays within [min, max].
 *   AI2  It grows only by a success that ran while at least half of the limit was held.
 *
 * For backends that refuse (429, 503, a full pool): it finds the largest limit that is not refused. Not for a backend
 * that only becomes slower: it never refuses, so the limit grows to `max`.
 * Hand-over, Cancel: none; it holds a number. Cost: a few additions per sample.
 * Lineage: Jacobson 1988; Netflix concurrency-limits' AIMDLimit.
 */
import {
  checkSample,
  type LimitAlgorithm,
  type LimitBounds,
  type LimitSample,
  limitBounds,
} from './limit-algorithm.js';

const backoffRatio = 0.9;

/**
 * A limit for backends that refuse calls they cannot handle: +1 per success while in use, a tenth less per overload.
 *
 * @example
 * ```ts
 * import { AdaptiveSemaphore, AimdLimit } from 'latchkey';
 *
 * const semaphore = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 10, max: 50 }) });
 * const refused = () => Promise.reject(Object.assign(new Error('busy'), { status: 503 }));
 * await semaphore.run(refused).catch(() => {});
 * console.log(semaphore.limit); // → 9
 * ```
 */
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

  /** The limit now. */
  get limit(): number {
    return this.#limit;
  }

  /** Learns from one finished call. @throws TypeError or RangeError that names a bad field. */
  onSample(sample: LimitSample): void {
    checkSample(sample);
    const { held, outcome } = sample;
    if (outcome === 'overload') this.#limit = Math.max(this.#min, Math.floor(this.#limit * backoffRatio));
    // AI2: an unused limit is no evidence that more would work.
    else if (held * 2 >= this.#limit) this.#limit = Math.min(this.#max, this.#limit + 1);
  }

  /** `limit` only. */
  snapshot(): Readonly<Record<string, number | string>> {
    return { limit: this.#limit };
  }
}
