import { checkDuration, checkFinite, checkLimit, checkObject } from '../contract/arguments.js';

export interface LittlesLawOptions {
  /** How many items have to be done. */
  items: number;
  /** How long one takes on an idle backend, in milliseconds. */
  durationMs: number;
  /** In how much time all of them have to be done, in milliseconds. */
  withinMs: number;
  /** Default 1. */
  min?: number | undefined;
  /** Default Infinity. */
  max?: number | undefined;
}

/**
 * How many calls must run at once: ceil(items * durationMs / withinMs), within [min, max]; for an algorithm's
 * `initial`. Do not feed it a measured latency in a loop: slower calls would ask for more concurrency, which makes
 * them slower still.
 *
 * @throws TypeError or RangeError that names the option and the value.
 */
export function littlesLaw(options: LittlesLawOptions): number {
  checkObject('options', options);
  const { items, durationMs, withinMs, min = 1, max = Infinity } = options;
  checkFinite('items', items);
  checkFinite('durationMs', durationMs);
  checkDuration('withinMs', withinMs);
  if (withinMs === 0) throw new RangeError('withinMs must be more than 0, got 0');
  checkLimit('min', min);
  checkLimit('max', max);
  if (min > max) throw new RangeError(`min must be at most max (${max}), got ${min}`);
  const needed = Math.ceil((items * durationMs) / withinMs);
  if (!Number.isFinite(needed)) throw new RangeError('items, durationMs and withinMs must be finite');
  return Math.min(max, Math.max(min, needed));
}
