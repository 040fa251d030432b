/** What `gatherSettled` and `gatherStream` have in common: their options and their outcomes. */
import {
  checkFunction,
  checkLimit,
  checkObject,
  checkOptions,
  checkSignal,
  type OptionNames,
} from '../contract/arguments.js';
import type { Awaitable, Limiter } from '../contract/types.js';

/** The counts after an item has ended. */
export interface GatherProgress {
  /** How many items there are, where the source knows. */
  total?: number;
  started: number;
  succeeded: number;
  failed: number;
}

/** An error that `stopWhen` throws ends the run, as an error of the source does. */
export interface GatherOptions {
  /** The most workers at a time. Default 16; with a `limiter`, `gatherSettled` has no bound of its own. */
  concurrency?: number | undefined;
  /** Runs each worker: a semaphore, for instance, which others may share. */
  limiter?: Limiter | undefined;
  /** Stops the run, which then rejects with `signal.reason`. Its workers receive a signal that aborts too. */
  signal?: AbortSignal | undefined;
  /** Asked after each item whether to stop, for instance `(progress) => progress.failed > 0`. */
  stopWhen?: ((progress: GatherProgress) => boolean) | undefined;
  /** Called after each item. What it throws or rejects with is ignored. */
  onProgress?: ((progress: GatherProgress) => void) | undefined;
}

export const gatherOptionNames: OptionNames<GatherOptions> = {
  concurrency: true,
  limiter: true,
  signal: true,
  stopWhen: true,
  onProgress: true,
};

/** How one item ended; `index` is its position in the source, from 0. 'skipped': its worker was never started. */
export type GatherResult<T, R> =
  | { status: 'fulfilled'; index: number; item: T; value: R }
  | { status: 'rejected'; index: number; item: T; reason: unknown }
  | { status: 'skipped'; index: number; item: T };

/** Works on one item. `signal` aborts when the run is stopped. */
export type GatherWorker<T, R> = (item: T, context: { index: number; signal: AbortSignal }) => Awaitable<R>;

/**
 * A copy of the options, so that a later change has no effect.
 * @throws TypeError or RangeError that names the option and the value.
 */
export function gatherSettings(
  options: GatherOptions,
  names: Readonly<Record<string, true>> = gatherOptionNames,
): GatherOptions {
  checkOptions(options, names);
  const { concurrency, limiter, signal, stopWhen, onProgress } = options;
  if (concurrency !== undefined) checkLimit('concurrency', concurrency);
  if (limiter !== undefined) {
    checkObject('limiter', limiter);
    checkFunction('limiter.run', limiter.run);
  }
  if (stopWhen !== undefined) checkFunction('stopWhen', stopWhen);
  if (onProgress !== undefined) checkFunction('onProgress', onProgress);
  if (signal !== undefined) checkSignal('signal', signal);
  return { concurrency, limiter, signal, stopWhen, onProgress };
}
