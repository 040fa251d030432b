/**
 * monitorEventLoop: how much of its time a process cannot react, because one piece of code does not let go.
 *
 * A timer beats; what a beat is late, everything else that was due was late as well. Blocked is not busy: a loop that
 * works without a pause, in slices of 2 ms, is busy all the time and blocked never.
 *
 * Invariants
 *   E1  A block counts as long as the beat was late: what came before the beat was due is not seen. So, but for the
 *       millisecond by which timers err, it is never told longer than it was, and at most one beat (a quarter of
 *       the threshold) shorter.
 *   E2  Blocks shorter than the threshold count for `p99Ms`, and for nothing else.
 *   E3  A block is told of once, one beat after it: only then is it known what the garbage collector did meanwhile.
 *   E4  `onOverBudget` is called at most once per window, for the window that has just ended.
 *   E5  After `stop()` nothing is called, and neither timer nor observer is left.
 *
 * Hooks run in the async context in which the monitor was made; what they throw or reject with is ignored.
 * Cancel: `stop()`, or `using`. The timer never keeps the process alive.
 * Cost: one timer per beat, and one question for the processor time. Not here: which line of code it was.
 * Lineage: perf_hooks.monitorEventLoopDelay, whose percentiles count beats: one block of 200 ms in 2 s leaves its p99
 *   where it was. eventLoopUtilization says busy, not blocked.
 */

import { notify } from '../calling/listeners.js';
import { checkFinite, checkFunction, checkObject } from '../contract/arguments.js';
import { AsyncContext } from '../runtime/async-context.js';
import { channel } from '../runtime/channels.js';
import { now, setTimer, type Timer } from '../runtime/clock.js';
import { type BlockCause, CollectorPauses, causeOf, processorMs } from './block-cause.js';
import { type EventLoopStats, Lateness } from './lateness.js';

/** Timers count in milliseconds. */
const shortestBeatMs = 1;

export interface EventLoopBlock {
  blockedMs: number;
  cause: BlockCause;
  /** How much of it the garbage collector had. */
  gcMs: number;
  /** Processor time of the whole process meanwhile, threads included; undefined where the runtime does not tell. */
  cpuMs: number | undefined;
}

export interface EventLoopMonitorOptions {
  /** From how long on a block counts. Default 20. */
  thresholdMs?: number | undefined;
  /** The share of a window, 0 to 1, that may be blocked. Default 0.02. */
  budget?: number | undefined;
  /** How long a window is. Default 10,000. */
  windowMs?: number | undefined;
  /** Told of each block of at least `thresholdMs`, one beat after it. */
  onBlock?: ((block: EventLoopBlock) => void) | undefined;
  /** Told of each window that was blocked for more than `budget`. */
  onOverBudget?: ((window: EventLoopStats) => void) | undefined;
}

/** Made by `monitorEventLoop`. Works with `using`. */
export interface EventLoopMonitor extends Disposable {
  /** What was seen since the start, or since the last `reset()`. */
  stats(): EventLoopStats;
  /** Begins `stats()` anew. Windows go on. */
  reset(): void;
  /** Ends it. Idempotent; `stats()` can still be read. */
  stop(): void;
}

/**
 * Watches the event loop of this thread from now on, until `stop()`.
 *
 * @throws TypeError or RangeError that names the option and the value.
 */
export function monitorEventLoop(options: EventLoopMonitorOptions = {}): EventLoopMonitor {
  checkObject('options', options);
  const { thresholdMs = 20, budget = 0.02, windowMs = 10_000, onBlock, onOverBudget } = options;
  checkFinite('thresholdMs', thresholdMs);
  checkFinite('budget', budget);
  if (budget > 1) throw new RangeError(`budget must be a share, 0 to 1, got ${budget}`);
  checkFinite('windowMs', windowMs);
  if (onBlock !== undefined) checkFunction('onBlock', onBlock);
  if (onOverBudget !== undefined) checkFunction('onOverBudget', onOverBudget);
  return new Monitor({ thresholdMs, budget, windowMs, onBlock, onOverBudget });
}

interface MonitorSettings {
  readonly thresholdMs: number;
  readonly budget: number;
  readonly windowMs: number;
  readonly onBlock: ((block: EventLoopBlock) => void) | undefined;
  readonly onOverBudget: ((window: EventLoopStats) => void) | undefined;
}

interface Beat {
  readonly atMs: number;
  readonly cpuMs: number | undefined;
}

/** A block that is not told of yet. */
interface Untold {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly cpuMs: number | undefined;
}

/** On the channel `latchkey:event-loop:block`: what `onBlock` is told. */
export interface EventLoopBlockMessage extends EventLoopBlock {
  readonly source: EventLoopMonitor;
}

const blocks = channel<EventLoopBlockMessage>('latchkey:event-loop:block');

class Monitor implements EventLoopMonitor {
  readonly #settings: MonitorSettings;
  readonly #beatMs: number;
  readonly #context = new AsyncContext();
  readonly #pauses = new CollectorPauses();
  #sinceReset: Lateness;
  #window: Lateness;
  #windowEndsMs: number;
  #last: Beat;
  #untold: Untold | undefined;
  #timer: Timer | undefined;

  constructor(settings: MonitorSettings) {
    this.#settings = settings;
    this.#beatMs = Math.max(shortestBeatMs, settings.thresholdMs / 4);
    this.#sinceReset = new Lateness(settings.thresholdMs);
    this.#window = new Lateness(settings.thresholdMs);
    this.#last = { atMs: now(), cpuMs: processorMs() };
    this.#windowEndsMs = this.#last.atMs + settings.windowMs;
    this.#arm();
  }

  stats(): EventLoopStats {
    return this.#sinceReset.stats();
  }

  reset(): void {
    this.#sinceReset = new Lateness(this.#settings.thresholdMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pauses.stop();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #arm(): void {
    this.#timer = setTimer(this.#beat, this.#beatMs, { background: true });
  }

  /** Armed again before any hook is called: a hook may stop the monitor. */
  readonly #beat = (): void => {
    const before = this.#last;
    const beat = { atMs: now(), cpuMs: processorMs() };
    this.#last = beat;
    this.#arm();
    const told = this.#untold;
    this.#untold = this.#record(before, beat);
    const window = this.#windowEndingAt(beat.atMs);
    if (told !== undefined) this.#report(told);
    this.#pauses.forgetBefore(before.atMs);
    if (window !== undefined) this.#call(this.#settings.onOverBudget, window);
  };

  #record(before: Beat, beat: Beat): Untold | undefined {
    const elapsedMs = beat.atMs - before.atMs;
    const lateMs = Math.max(0, elapsedMs - this.#beatMs);
    this.#sinceReset.record(elapsedMs, lateMs);
    this.#window.record(elapsedMs, lateMs);
    if (lateMs < this.#settings.thresholdMs) return undefined;
    const cpuMs = beat.cpuMs === undefined ? undefined : beat.cpuMs - (before.cpuMs ?? 0);
    return { fromMs: beat.atMs - lateMs, untilMs: beat.atMs, cpuMs };
  }

  /** The window, if it has ended and was over the budget. */
  #windowEndingAt(nowMs: number): EventLoopStats | undefined {
    if (nowMs < this.#windowEndsMs) return undefined;
    const stats = this.#window.stats();
    this.#window = new Lateness(this.#settings.thresholdMs);
    this.#windowEndsMs = nowMs + this.#settings.windowMs;
    return stats.blockedShare > this.#settings.budget ? stats : undefined;
  }

  #report({ fromMs, untilMs, cpuMs }: Untold): void {
    const blockedMs = untilMs - fromMs;
    const gcMs = this.#pauses.within(fromMs, untilMs);
    const block = { blockedMs, cause: causeOf(blockedMs, gcMs, cpuMs), gcMs, cpuMs };
    if (blocks.hasSubscribers) blocks.publish({ source: this, ...block });
    this.#call(this.#settings.onBlock, block);
  }

  #call<T>(hook: ((event: T) => void) | undefined, event: T): void {
    if (this.#timer !== undefined) notify(this.#context, hook, event);
  }
}
