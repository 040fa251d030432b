/** What a limit algorithm receives and returns. It computes the number only; `AdaptiveSemaphore` enforces it. */
import {
  checkDuration,
  checkLimit,
  checkNumber,
  checkObject,
  checkOptions,
  type OptionNames,
} from '../contract/arguments.js';
import { printable } from '../contract/errors.js';

/**
 * How a permit's work ended. 'success': the backend did its work, business errors included. 'overload': the backend had
 * too much work, shown by a timeout, a 429 or a refused connection. 'ignore': the call says nothing about the backend,
 * for instance because it was cancelled.
 */
export type Outcome = 'success' | 'overload' | 'ignore';

/** What an algorithm learns from one finished call. */
export interface LimitSample {
  /** Wall clock at completion, in milliseconds since the epoch; may step backwards. */
  readonly nowMs: number;
  /** Milliseconds from the grant to the completion, by the monotonic clock. Time in our own queue is not included. */
  readonly durationMs: number;
  /** Permits held at the grant, this one included. */
  readonly held: number;
  /** The limit in force at the grant. */
  readonly limit: number;
  readonly outcome: 'success' | 'overload';
}

/**
 * Computes a limit from samples. Deterministic given its samples: no timers, no promises, no randomness. One object serves
 * one `AdaptiveSemaphore`.
 */
export interface LimitAlgorithm {
  /** The limit now: a whole number of at least 1. */
  readonly limit: number;
  /** Called once per finished call, in the order in which the calls finish. */
  onSample(sample: LimitSample): void;
  /** Internal figures for `stats()`. */
  snapshot?(): Readonly<Record<string, number | string>>;
}

/** The options of every algorithm of the package. */
export interface LimitBounds {
  /** The first limit. Default 20, or the nearest bound. */
  initial?: number | undefined;
  /** The lowest limit. Default 1. */
  min?: number | undefined;
  /** The highest limit. Default 1000. */
  max?: number | undefined;
}

const optionNames: OptionNames<LimitBounds> = { initial: true, min: true, max: true };

/** The bounds, with their defaults. @throws TypeError or RangeError that names the option and the value. */
export function limitBounds(options: LimitBounds): { initial: number; min: number; max: number } {
  checkOptions(options, optionNames);
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

/** Refuses a sample that would spoil every later decision. @throws TypeError or RangeError that names the field. */
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
