import { checkDuration, checkObject, checkSignal, type OptionNames } from '../contract/arguments.js';
import type { PartitionedWaitOptions, WaitOptions } from '../contract/types.js';
import { throwIfAborted } from './abort-listeners.js';

/** A caller's options, read once and checked. */
export interface WaitSettings {
  readonly signal: AbortSignal | undefined;
  readonly waitTimeoutMs: number;
  /** For orders that distinguish partitions. */
  readonly partition?: unknown;
}

/** The names of all wait options. */
export const waitOptionNames: OptionNames<WaitOptions> = { signal: true, waitTimeoutMs: true };

/** No signal and no timeout. */
export const forEver: WaitSettings = { signal: undefined, waitTimeoutMs: Infinity };

/**
 * Reads and checks how a caller wants to wait.
 * @throws TypeError or RangeError for bad options; `signal.reason` when the signal is already aborted.
 */
export function waitSettings(
  options: PartitionedWaitOptions | undefined,
  defaults: WaitSettings = forEver,
): WaitSettings {
  if (options === undefined) return defaults;
  checkObject('options', options);
  if (typeof (options as Partial<AbortSignal>).aborted === 'boolean') {
    throw new TypeError('options must be an object such as { signal }, got the AbortSignal itself');
  }
  const { signal, waitTimeoutMs = defaults.waitTimeoutMs, partition } = options;
  checkDuration('waitTimeoutMs', waitTimeoutMs);
  if (signal !== undefined) {
    checkSignal('signal', signal);
    throwIfAborted(signal);
  }
  return { signal, waitTimeoutMs, partition };
}
