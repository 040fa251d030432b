import {
  checkDuration,
  checkFinite,
  checkLimit,
  checkOptions,
  type OptionNames,
} from '../contract/arguments.js';

export interface LittlesLawOptions {
  /** How many items there are. */
  items: number;
  /** How long one item takes on an idle backend, in milliseconds. */
  durationMs: number;
  /** The time in which all of them must be done, in milliseconds. */
  withinMs: number;
  /** The lowest answer. Default 1. */
  min?: number | undefined;
  /** The highest answer. Default Infinity. */
  max?: number | undefined;
}

const optionNames: OptionNames<LittlesLawOptions> = {
  items: true,
  durationMs: true,
  withinMs: true,
  min: true,
  max: true,
};

/**
 * How many calls must run at once (Little's law): ceil(items * durationMs / withinMs), within [min, max]. Meant for the
 * `initial` of an algorithm. Do not call it in a loop with a measured latency: slower calls would ask for more
 * concurrency, which makes them slower still.
 *
 * @throws TypeError or RangeError that names the option and the value.
 * @example
 * ```ts
 * import { littlesLaw } from 'latchkey';
 *
 * const initial = littlesLaw({ items: 6_000, durationMs: 200, withinMs: 60_000 });
 * console.log(initial); // → 20
 * ```
 */
export function littlesLaw(options: LittlesLawOptions): number {
  checkOptions(options, optionNames);
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
