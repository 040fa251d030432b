/**
 * Guesses the cause of a block from what the runtime reports: the pauses of the garbage collector, and the processor time
 * that the process used meanwhile. Only a profiler knows which line of code it was.
 */

/** The likely cause of a block. It is a guess: a long computation may also have waited, and the reverse. */
export type BlockCause =
  /** The processor was busy: a loop, a parse, a regular expression, a hash. */
  | 'computation'
  /** The garbage collector took more than half of it. */
  | 'garbageCollection'
  /** The processor was idle: a synchronous read, `execSync`, or a machine that gave the process no time. */
  | 'waiting'
  /** The runtime does not report processor time. */
  | 'unknown';

interface Runtime {
  process?: { cpuUsage?(): { user: number; system: number } };
}

/** Processor milliseconds that the process has used, threads included; undefined where the runtime does not report them. */
export function processorMs(): number | undefined {
  try {
    const usage = (globalThis as Runtime).process?.cpuUsage?.();
    return usage && (usage.user + usage.system) / 1000;
  } catch {
    // Workers have the method, and it throws.
    return undefined;
  }
}

export function causeOf(blockedMs: number, gcMs: number, cpuMs: number | undefined): BlockCause {
  if (gcMs > blockedMs / 2) return 'garbageCollection';
  if (cpuMs === undefined) return 'unknown';
  return cpuMs < blockedMs / 2 ? 'waiting' : 'computation';
}

/** The pauses of the garbage collector. The runtime reports each pause one turn after it. */
export class CollectorPauses {
  #pauses: { startMs: number; endMs: number }[] = [];
  #observer: PerformanceObserver | undefined;

  constructor() {
    if (!globalThis.PerformanceObserver?.supportedEntryTypes?.includes('gc')) return;
    this.#observer = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        this.#pauses.push({ startMs: startTime, endMs: startTime + duration });
      }
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** How many milliseconds of that time the collector paused the program. */
  within(fromMs: number, untilMs: number): number {
    let sumMs = 0;
    for (const { startMs, endMs } of this.#pauses) {
      sumMs += Math.max(0, Math.min(endMs, untilMs) - Math.max(startMs, fromMs));
    }
    return sumMs;
  }

  /** Drops the pauses that ended before `timeMs`. */
  forgetBefore(timeMs: number): void {
    if (this.#pauses.length > 0) this.#pauses = this.#pauses.filter(({ endMs }) => endMs > timeMs);
  }

  stop(): void {
    this.#observer?.disconnect();
  }
}
