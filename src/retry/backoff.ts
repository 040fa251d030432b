/**
 * How long to wait before the next attempt: pure functions of the attempt that failed (from 1), the previous delay
 * and a source of randomness. Without jitter, callers who failed together come back together, and fail together.
 */
import { checkDuration, checkNumber, checkObject } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';

/** Milliseconds before the next attempt. `previousMs` is 0 before the first delay; `random` gives [0, 1). */
export type Backoff = (attempt: number, previousMs: number, random: () => number) => number;

/**
 * How a delay is spread: 'full' over [0, delay), 'equal' over [delay / 2, delay), 'none' not at all. Full jitter
 * keeps the load lowest; equal jitter guarantees a pause.
 */
export type Jitter = 'none' | 'equal' | 'full';

export interface ExponentialOptions {
  /** The first delay. Default 100. */
  initialMs?: number | undefined;
  /** No delay is longer. Default 10_000. */
  maxMs?: number | undefined;
  /** What each delay is multiplied by for the next; at least 1. Default 2. */
  factor?: number | undefined;
  /** Default 'full'. */
  jitter?: Jitter | undefined;
}

/**
 * initialMs, initialMs * factor, initialMs * factor², … up to maxMs, spread by the jitter.
 * @throws TypeError or RangeError that names the option and the value.
 */
export function exponential(options: ExponentialOptions = {}): Backoff {
  checkObject('options', options);
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
    // The power overflows to Infinity long before anybody gives up: 0 * Infinity must not become a delay.
    const delayMs = initialMs === 0 ? 0 : Math.min(maxMs, initialMs * factor ** (attempt - 1));
    if (jitter === 'none') return delayMs;
    return jitter === 'full' ? delayMs * random() : (delayMs / 2) * (1 + random());
  };
}

/** The same delay each time. @throws TypeError or RangeError. */
export function constant(delayMs: number): Backoff {
  checkDelay('delayMs', delayMs);
  return () => delayMs;
}

export interface DecorrelatedOptions {
  /** The shortest delay. Default 100. */
  initialMs?: number | undefined;
  /** No delay is longer. Default 10_000. */
  maxMs?: number | undefined;
}

/**
 * Each delay is drawn from initialMs to three times the previous one (the first: to three times initialMs), or to
 * maxMs if that is less: grows like the exponential, but two callers lose step for good.
 * @throws TypeError or RangeError that names the option and the value.
 */
export function decorrelated(options: DecorrelatedOptions = {}): Backoff {
  checkObject('options', options);
  const { initialMs = 100, maxMs = 10_000 } = options;
  checkDelay('initialMs', initialMs);
  checkDelay('maxMs', maxMs);
  return (_attempt, previousMs, random) => {
    // The range is cut at maxMs, not what is drawn from it: else most callers would meet again at maxMs.
    const leastMs = Math.min(initialMs, maxMs);
    const mostMs = Math.min(3 * Math.max(initialMs, previousMs), maxMs);
    return leastMs + random() * (mostMs - leastMs);
  };
}

function checkDelay(name: string, value: number): void {
  checkDuration(name, value);
  if (value === Infinity) throw new RangeError(`${name} must be finite, got Infinity`);
}
