/**
 * failsafe-go's AdaptiveLimiter: Vegas' queue on the p90 of windows, against a moving baseline; and whether limit and
 * goodput, limit and duration have gone together over fifty windows may forbid to grow.
 */
import type { LimitSample } from 'latchkey';
import type { Law } from '../simulation/client.js';
import { clamp, step, whole } from './bounds.js';

const fewestCalls = 50;
const medianOf = 5;
const correlationOver = 50;
const correlationFrom = 10;

export class Failsafe implements Law {
  #limit = 20;
  #durations: number[] = [];
  #mostHeld = 0;
  #fastestMs = Infinity;
  #nextMs = 0;
  #lastFound = false;
  #p90s: number[] = [];
  readonly #smooth = new MovingAverage(5);
  readonly #baseline = new MovingAverage(10);
  readonly #heldAndGoodput = new Correlation();
  readonly #heldAndDuration = new Correlation();

  get limit(): number {
    return whole(this.#limit);
  }

  onSample({ nowMs, durationMs, held, limit, outcome }: LimitSample): void {
    this.#lastFound = held >= limit;
    if (outcome === 'success') {
      this.#durations.push(durationMs);
      this.#mostHeld = Math.max(this.#mostHeld, held);
      this.#fastestMs = Math.min(this.#fastestMs, durationMs);
    }
    if (nowMs <= this.#nextMs || this.#durations.length < fewestCalls) return;
    const sorted = this.#durations.sort((a, b) => a - b);
    this.#p90s.push(sorted[Math.floor(0.9 * sorted.length)]!);
    if (this.#p90s.length > medianOf) this.#p90s.shift();
    const latest = this.#p90s.at(-1)!;
    const filtered =
      this.#p90s.length < medianOf ? latest : [...this.#p90s].sort((a, b) => a - b)[(medianOf - 1) / 2]!;
    this.#judge(this.#smooth.add(filtered), this.#mostHeld);
    this.#nextMs = nowMs + Math.min(30_000, Math.max(1_000, 2 * this.#fastestMs));
    this.#durations = [];
    this.#mostHeld = 0;
    this.#fastestMs = Infinity;
  }

  #judge(durationMs: number, held: number): void {
    const baselineMs = this.#baseline.add(durationMs);
    const queued = Math.ceil(this.#limit * (1 - baselineMs / durationMs));
    const goodput = this.#heldAndGoodput.add(held, (held / durationMs) * 1_000);
    const duration = this.#heldAndDuration.add(held, durationMs);
    const by = step(this.#limit);
    let next = this.#limit + by * this.#direction(queued, by, goodput, duration.coefficient);
    const mostAllowed = held * 5;
    if (next > mostAllowed) next = this.#limit > mostAllowed ? this.#limit - by : mostAllowed;
    this.#limit = clamp(next);
  }

  #direction(queued: number, by: number, goodput: Correlated, durationCoefficient: number): -1 | 0 | 1 {
    if (queued > 6 * by) return -1;
    const isSlower = durationCoefficient > 0.5;
    const isFlat = goodput.coefficient < 0.3 || goodput.variation < 0.2;
    if (this.#lastFound && (goodput.coefficient < 0 || (isFlat && isSlower))) return -1;
    return queued < 3 * by ? 1 : 0;
  }
}

class MovingAverage {
  readonly #age: number;
  #count = 0;
  #value = 0;

  constructor(age: number) {
    this.#age = age;
  }

  /** A plain mean of the first ten, then exponential. */
  add(value: number): number {
    const weight = this.#count < 10 ? 1 / ++this.#count : 2 / (this.#age + 1);
    this.#value += weight * (value - this.#value);
    return this.#value;
  }
}

interface Correlated {
  readonly coefficient: number;
  /** Of the second of the two. */
  readonly variation: number;
}

class Correlation {
  readonly #xs: number[] = [];
  readonly #ys: number[] = [];

  add(x: number, y: number): Correlated {
    this.#xs.push(x);
    this.#ys.push(y);
    if (this.#xs.length > correlationOver) {
      this.#xs.shift();
      this.#ys.shift();
    }
    if (this.#xs.length < correlationFrom) return { coefficient: 0, variation: 0 };
    const xs = deviations(this.#xs);
    const ys = deviations(this.#ys);
    if (xs.variation < 0.01 || ys.variation < 0.01) return { coefficient: 0, variation: ys.variation };
    const product = xs.deviations.reduce((sum, deviation, i) => sum + deviation * ys.deviations[i]!, 0);
    return { coefficient: product / Math.sqrt(xs.squares * ys.squares), variation: ys.variation };
  }
}

function deviations(values: readonly number[]) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviations = values.map((value) => value - mean);
  const squares = deviations.reduce((sum, deviation) => sum + deviation ** 2, 0);
  return { deviations, squares, variation: Math.sqrt(squares / values.length) / mean };
}
