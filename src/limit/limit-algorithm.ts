/** What an algorithm learns from, and what it answers: the number alone, apart from its enforcement. */
import { checkDuration, checkLimit, checkNumber, checkObject } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';

/**
 * How a permit's work ended. 'success': the backend did its work, business errors included. 'overload': it had too
 * much, as a timeout, a 429 or a refused connection tells. 'ignore': nothing to learn, as when the caller cancelled.
 */
export type Outcome = 'success' | 'overload' | 'ignore';

export interface LimitSample {
  /** Wall clock at completion, in milliseconds; may step backwards. */
  readonly nowMs: number;
  /** From the grant to the completion, by the monotonic clock; time in our own queue is not in it. */
  readonly durationMs: number;
  /** Permits held at the grant, this one included. */
  readonly held: number;
  /** The limit in force at the grant. */
  readonly limit: number;
  readonly outcome: 'success' | 'overload';
}

/** Deterministic given its samples: no timers, no promises, no randomness. */
export interface LimitAlgorithm {
  /** A whole number of at least 1. */
  readonly limit: number;
  onSample(sample: LimitSample): void;
  /** What it knows, for `stats()`. */
  snapshot?(): Readonly<Record<string, number | string>>;
}

export interface LimitBounds {
  /** Where to start. Default 20, or the nearest bound. */
  initial?: number | undefined;
  /** Default 1. */
  min?: number | undefined;
  /** Default 1000. */
  max?: number | undefined;
}

/** @throws TypeError or RangeError that names the option and the value. */
export function limitBounds(options: LimitBounds): { initial: number; min: number; max: number } {
  checkObject('options', options);
  const { min = 1, max = 1000 } = options;
  checkFiniteLimit('min', min);
  checkFiniteLimit('max', max);
  const { initial = Math.min(Math.max(20, min), max) } = options;
  checkFiniteLimit('initial', initial);
  if (min > max) throw new RangeError(`min must be at most max (${max}), got ${min}`);
  if (initial < min || initial > max) {
    throw new RangeError(`initial must be between min (${min}) and max (${max}), got ${initial}`);
  }
  return { initial, min, max };
}

function checkFiniteLimit(name: string, value: number): void {
  checkLimit(name, value);
  if (value === Infinity) throw new RangeError(`${name} must be finite, got Infinity`);
}

/** Refuses what would poison every later decision. @throws TypeError or RangeError that names the field. */
export function checkSample(sample: LimitSample): void {
  checkObject('sample', sample);
  checkNumber('nowMs', sample.nowMs);
  if (!Number.isFinite(sample.nowMs)) throw new RangeError(`nowMs must be finite, got ${sample.nowMs}`);
  checkDuration('durationMs', sample.durationMs);
  if (sample.durationMs === Infinity) throw new RangeError('durationMs must be finite, got Infinity');
  checkLimit('held', sample.held);
  checkLimit('limit', sample.limit);
  if (sample.outcome !== 'success' && sample.outcome !== 'overload') {
    throw new TypeError(`outcome must be 'success' or 'overload', got ${printable(sample.outcome)}`);
  }
}
