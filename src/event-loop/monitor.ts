/**
 * monitorEventLoop: reports how much of the time the event loop is blocked by code that runs too long in one piece.
 *
 * A timer ticks at a fixed interval. If a tick is late, everything else that was due was late as well. A busy loop is
 * not blocked: one that always works, but in slices of 2 ms, is always busy and never blocked.
 *
 * Invariants
 *   E1  The length of a block is the lateness of the tick. It is never reported longer than it was, apart from the
 *       millisecond by which timers err, and at most one tick (a quarter of the threshold) shorter.
 *   E2  Blocks shorter than the threshold count for `p99Ms` only.
 *   E3  A block is reported once, one tick after it: by then the pauses of the garbage collector are known.
 *   E4  `onOverBudget` is called at most once per window, for the window that has just ended.
 *   E5  After `stop()` no hook is called, and neither timer nor observer is left.
 *
 * Hooks run in the async context in which the monitor was made; what they throw or reject with is ignored.
 * Cancel: `stop()`, or `using`. The timer never keeps the process alive.
 * Cost: one timer and one reading of the processor time per tick. Not here: which line of code it was.
 * Lineage: perf_hooks.monitorEventLoopDelay, whose percentiles count ticks: one block of 200 ms in 2 s does not change its
 *   p99. eventLoopUtilization measures busy, not blocked.
 */

import { notify } from '../calling/listeners.js';
import { checkFinite, checkFunction, checkOptions, type OptionNames } from '../contract/arguments.js';
import { AsyncContext } from '../runtime/async-context.js';
import { channel } from '../runtime/channels.js';
import { now, setTimer, type Timer } from '../runtime/clock.js';
import { type BlockCause, CollectorPauses, causeOf, processorMs } from './block-cause.js';
import { type EventLoopStats, Lateness } from './lateness.js';

/** Timers count whole milliseconds. */
const shortestTickMs = 1;

/** One stretch of time in which nothing that was due could run. */
export interface EventLoopBlock {
  /** Its length in milliseconds. */
  blockedMs: number;
  /** The likely cause; a guess. */
  cause: BlockCause;
  /** How many milliseconds of it the garbage collector took. */
  gcMs: number;
  /** Processor milliseconds of the whole process meanwhile, threads included; undefined where the runtime reports none. */
  cpuMs: number | undefined;
}

export interface EventLoopMonitorOptions {
  /** The shortest block that counts, in milliseconds. Default 20. */
  thresholdMs?: number | undefined;
  /** The share of a window, 0 to 1, that may be blocked. Default 0.02. */
  budget?: number | undefined;
  /** The length of a window, in milliseconds. Default 10_000. */
  windowMs?: number | undefined;
  /** Called for each block of at least `thresholdMs`, one tick after it. */
  onBlock?: ((block: EventLoopBlock) => void) | undefined;
  /** Called for each window that was blocked for more than `budget`. */
  onOverBudget?: ((window: EventLoopStats) => void) | undefined;
}

const optionNames: OptionNames<EventLoopMonitorOptions> = {
  thresholdMs: true,
  budget: true,
  windowMs: true,
  onBlock: true,
  onOverBudget: true,
};

/** A running monitor, made by `monitorEventLoop`. Works with `using`. */
export interface EventLoopMonitor extends Disposable {
  /** The figures since the start, or since the last `reset()`. */
  stats(): EventLoopStats;
  /** Sets the figures of `stats()` back to zero. The window in progress goes on. */
  reset(): void;
  /** Stops the monitor. Idempotent; `stats()` can still be read. */
  stop(): void;
}

/**
 * Measures from now on how long the event loop of this thread is blocked, until `stop()`.
 *
 * @throws TypeError or RangeError that names the option and the value.
 * @example
 * ```ts
 * import { setTimeout as sleep } from 'node:timers/promises';
 * import { monitorEventLoop } from 'latchkey/event-loop';
 *
 * using monitor = monitorEventLoop({ thresholdMs: 20 });
 * const endMs = performance.now() + 100;
 * while (performance.now() < endMs); // blocks the loop
 * await sleep(20);
 * console.log(monitor.stats().longestBlockMs > 80); // → true
 * ```
 */
export function monitorEventLoop(options: EventLoopMonitorOptions = {}): EventLoopMonitor {
  checkOptions(options, optionNames);
  const { thresholdMs = 20, budget = 0.02, windowMs = 10_000, onBlock, onOverBudget } = options;
  checkFinite('thresholdMs', thresholdMs);
  checkFinite('budget', budget);
  if (budget > 1) throw new RangeError(`budget must be between 0 and 1, got ${budget}`);
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

interface Tick {
  readonly atMs: number;
  readonly cpuMs: number | undefined;
}

/** A block that is still to be reported. */
interface Unreported {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly cpuMs: number | undefined;
}

/** Published on the channel `latchkey:event-loop:block` for each block, with the fields that `onBlock` receives. */
export interface EventLoopBlockMessage extends EventLoopBlock {
  readonly source: EventLoopMonitor;
}

const blocks = /* @__PURE__ */ channel<EventLoopBlockMessage>('latchkey:event-loop:block');

class Monitor implements EventLoopMonitor {
  readonly #settings: MonitorSettings;
  readonly #tickMs: number;
  readonly #context = new AsyncContext();
  readonly #pauses = new CollectorPauses();
  #sinceReset: Lateness;
  #window: Lateness;
  #windowEndsMs: number;
  #last: Tick;
  #unreported: Unreported | undefined;
  #timer: Timer | undefined;

  constructor(settings: MonitorSettings) {
    this.#settings = settings;
    this.#tickMs = Math.max(shortestTickMs, settings.thresholdMs / 4);
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
    this.#timer = setTimer(this.#tick, this.#tickMs, { background: true });
  }

  /** The timer is armed again before a hook is called, because a hook may stop the monitor. */
  readonly #tick = (): void => {
    const before = this.#last;
    const tick = { atMs: now(), cpuMs: processorMs() };
    this.#last = tick;
    this.#arm();
    const unreported = this.#unreported;
    this.#unreported = this.#record(before, tick);
    const window = this.#windowEndingAt(tick.atMs);
    if (unreported !== undefined) this.#report(unreported);
    this.#pauses.forgetBefore(before.atMs);
    if (window !== undefined) this.#call(this.#settings.onOverBudget, window);
  };

  #record(before: Tick, tick: Tick): Unreported | undefined {
    const elapsedMs = tick.atMs - before.atMs;
    const lateMs = Math.max(0, elapsedMs - this.#tickMs);
    this.#sinceReset.record(elapsedMs, lateMs);
    this.#window.record(elapsedMs, lateMs);
    if (lateMs < this.#settings.thresholdMs) return undefined;
    const cpuMs = tick.cpuMs === undefined ? undefined : tick.cpuMs - (before.cpuMs ?? 0);
    return { fromMs: tick.atMs - lateMs, untilMs: tick.atMs, cpuMs };
  }

  /** The figures of the window, if it has ended and was over the budget. */
  #windowEndingAt(nowMs: number): EventLoopStats | undefined {
    if (nowMs < this.#windowEndsMs) return undefined;
    const stats = this.#window.stats();
    this.#window = new Lateness(this.#settings.thresholdMs);
    this.#windowEndsMs = nowMs + this.#settings.windowMs;
    return stats.blockedShare > this.#settings.budget ? stats : undefined;
  }

  #report({ fromMs, untilMs, cpuMs }: Unreported): void {
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
