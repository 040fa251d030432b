/**
 * How long to wait before the next attempt: pure functions of the number of the failed attempt (from 1), the previous delay
 * and a source of randomness. Without jitter, callers that failed together retry together, and fail together again.
 */
import { checkDuration, checkNumber, checkOptions, type OptionNames } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';

/** Returns the milliseconds before the next attempt. `previousMs` is 0 before the first delay; `random` gives [0, 1). */
export type Backoff = (attempt: number, previousMs: number, random: () => number) => number;

/**
 * How a delay is spread: 'full' over [0, delay), 'equal' over [delay / 2, delay), 'none' not at all. Full jitter
 * keeps the load lowest; equal jitter guarantees a pause.
 */
export type Jitter = 'none' | 'equal' | 'full';

export interface ExponentialOptions {
  /** The first delay, in milliseconds. Default 100. */
  initialMs?: number | undefined;
  /** The longest delay, in milliseconds. Default 10_000. */
  maxMs?: number | undefined;
  /** Each delay is the previous one times this; at least 1. Default 2. */
  factor?: number | undefined;
  /** Default 'full'. */
  jitter?: Jitter | undefined;
}

const exponentialNames: OptionNames<ExponentialOptions> = {
  initialMs: true,
  maxMs: true,
  factor: true,
  jitter: true,
};

/**
 * Delays of initialMs, initialMs * factor, initialMs * factor², … up to maxMs, spread by the jitter.
 * @throws TypeError or RangeError that names the option and the value.
 * @example
 * ```ts
 * import { exponential } from 'latchkey';
 *
 * const backoff = exponential({ initialMs: 100, maxMs: 1_000, jitter: 'none' });
 * console.log([1, 2, 3, 4, 5].map((attempt) => backoff(attempt, 0, Math.random)).join()); // → 100,200,400,800,1000
 * ```
 */
export function exponential(options: ExponentialOptions = {}): Backoff {
  checkOptions(options, exponentialNames);
  const { initialMs = 100, maxMs = 10_000, factor = 2, jitter = 'full' } = options;
  checkDelay('initialMs', initialMs);
  checkDelay('maxMs', maxMs);
  checkNumber('factor', factor);
  if (!(factor >= 1 && factor < Infinity)) {
    throw new RangeError(`factor must be a finite number of at least 1, got ${printable(factor)}`);
  }
  if (jitter !== 'none' && jitter !== 'equal' && jitter !== 'full') {
    throw new TypeError(`jitter must be 'none', 'equal' or 'full', got ${printable(jitter)}`);
  }
  return (attempt, _previousMs, random) => {
    // The power may overflow to Infinity, and 0 * Infinity is not a delay.
    const delayMs = initialMs === 0 ? 0 : Math.min(maxMs, initialMs * factor ** (attempt - 1));
    if (jitter === 'none') return delayMs;
    return jitter === 'full' ? delayMs * random() : (delayMs / 2) * (1 + random());
  };
}

/**
 * The same delay each time, in milliseconds.
 * @throws TypeError or RangeError that names the value.
 * @example
 * ```ts
 * import { constant } from 'latchkey';
 *
 * const backoff = constant(250);
 * console.log(backoff(1, 0, Math.random), backoff(9, 250, Math.random)); // → 250 250
 * ```
 */
export function constant(delayMs: number): Backoff {
  checkDelay('delayMs', delayMs);
  return () => delayMs;
}

export interface DecorrelatedOptions {
  /** The shortest delay, in milliseconds. Default 100. */
  initialMs?: number | undefined;
  /** The longest delay, in milliseconds. Default 10_000. */
  maxMs?: number | undefined;
}

const decorrelatedNames: OptionNames<DecorrelatedOptions> = { initialMs: true, maxMs: true };

/**
 * Each delay is drawn between initialMs and three times the previous delay (at first: three times initialMs), or maxMs if
 * that is less. It grows like the exponential backoff, but two callers do not stay in step.
 * Source: Marc Brooker, "Exponential Backoff And Jitter" (AWS, 2015).
 * @throws TypeError or RangeError that names the option and the value.
 * @example
 * ```ts
 * import { decorrelated } from 'latchkey';
 *
 * const backoff = decorrelated({ initialMs: 100, maxMs: 10_000 });
 * const highest = () => 1;
 * console.log(backoff(1, 0, highest), backoff(2, 300, highest)); // → 300 900
 * ```
 */
export function decorrelated(options: DecorrelatedOptions = {}): Backoff {
  checkOptions(options, decorrelatedNames);
  const { initialMs = 100, maxMs = 10_000 } = options;
  checkDelay('initialMs', initialMs);
  checkDelay('maxMs', maxMs);
  return (_attempt, previousMs, random) => {
    // Cut the range at maxMs, not the draw: otherwise most callers would meet again at maxMs.
    const leastMs = Math.min(initialMs, maxMs);
    const mostMs = Math.min(3 * Math.max(initialMs, previousMs), maxMs);
    return leastMs + random() * (mostMs - leastMs);
  };
}

function checkDelay(name: string, value: number): void {
  checkDuration(name, value);
  if (value === Infinity) throw new RangeError(`${name} must be finite, got Infinity`);
}
