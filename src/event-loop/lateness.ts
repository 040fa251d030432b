/**
 * Statistics of how late an event loop was: its blocks, and the wait of an event that falls due at a random moment.
 *
 * One block of 200 ms delays one tick, but 20 requests. So waits are weighted by time, not by ticks; otherwise a thousand
 * punctual ticks hide the block.
 */

/** How late an event loop was while it was observed. */
export interface EventLoopStats {
  /** How long it was observed, in milliseconds. */
  observedMs: number;
  /** The share of that time, 0 to 1, in which the loop was blocked for at least `thresholdMs` at a stretch. */
  blockedShare: number;
  /** How many such blocks there were. */
  blocks: number;
  /** The longest of them, in milliseconds; 0 when there was none. */
  longestBlockMs: number;
  /** If timers or messages fall due at random moments, 99 % of them wait at most this many milliseconds. */
  p99Ms: number;
}

/** The bounds of the histogram: 0, then 1 ms to 65 s in steps of a fifth. */
const waitsMs = [0, ...Array.from({ length: 65 }, (_, step) => 2 ** (step / 4))];

export class Lateness {
  readonly #thresholdMs: number;
  #observedMs = 0;
  #blockedMs = 0;
  #blocks = 0;
  #longestWaitMs = 0;
  /** Per entry of `waitsMs`: for how many milliseconds an event that fell due had to wait longer than that. */
  readonly #timeBeyondMs = new Float64Array(waitsMs.length);

  constructor(thresholdMs: number) {
    this.#thresholdMs = thresholdMs;
  }

  /** Records that `elapsedMs` have passed, and that nothing could run in the last `lateMs` of them. */
  record(elapsedMs: number, lateMs: number): void {
    this.#observedMs += elapsedMs;
    this.#longestWaitMs = Math.max(this.#longestWaitMs, lateMs);
    for (let i = 0; i < waitsMs.length && waitsMs[i]! < lateMs; i++) {
      this.#timeBeyondMs[i]! += lateMs - waitsMs[i]!;
    }
    if (lateMs < this.#thresholdMs) return;
    this.#blocks++;
    this.#blockedMs += lateMs;
  }

  stats(): EventLoopStats {
    return {
      observedMs: this.#observedMs,
      blockedShare: this.#observedMs === 0 ? 0 : this.#blockedMs / this.#observedMs,
      blocks: this.#blocks,
      longestBlockMs: this.#blocks === 0 ? 0 : this.#longestWaitMs,
      p99Ms: Math.min(this.#longestWaitMs, this.#waitExceededFor(this.#observedMs / 100)),
    };
  }

  /** The wait that was exceeded for `timeMs` in total, interpolated between the bounds. */
  #waitExceededFor(timeMs: number): number {
    const above = this.#timeBeyondMs.findIndex((beyondMs) => beyondMs <= timeMs);
    if (above === 0) return 0;
    if (above === -1) return this.#longestWaitMs;
    const [lowMs, highMs] = [waitsMs[above - 1]!, waitsMs[above]!];
    const [lowTimeMs, highTimeMs] = [this.#timeBeyondMs[above - 1]!, this.#timeBeyondMs[above]!];
    return lowMs + ((highMs - lowMs) * (lowTimeMs - timeMs)) / (lowTimeMs - highTimeMs);
  }
}
