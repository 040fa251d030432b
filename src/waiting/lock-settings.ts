import { checkCount, checkDuration, checkOptions, type OptionNames } from '../contract/arguments.js';
import type { LockOptions } from '../contract/types.js';
import { forEver, type WaitSettings } from './wait-settings.js';

/** A lock's options, read once and checked. */
export interface LockSettings {
  /** How a caller waits that gives no options. */
  readonly waits: WaitSettings;
  readonly maxWaiting: number;
}

/** What locks without options share. */
const defaults: LockSettings = { waits: forEver, maxWaiting: Infinity };
export const lockOptionNames: OptionNames<LockOptions> = { waitTimeoutMs: true, maxWaiting: true };

/** @throws TypeError or RangeError that names the option and the value. */
export function lockSettings(
  options: LockOptions | undefined,
  optionNames: Readonly<Record<string, true>> = lockOptionNames,
): LockSettings {
  if (options === undefined) return defaults;
  checkOptions(options, optionNames);
  const { waitTimeoutMs = Infinity, maxWaiting = Infinity } = options;
  checkDuration('waitTimeoutMs', waitTimeoutMs);
  checkCount('maxWaiting', maxWaiting);
  const waits = waitTimeoutMs === Infinity ? forEver : { signal: undefined, waitTimeoutMs };
  return { waits, maxWaiting };
}
