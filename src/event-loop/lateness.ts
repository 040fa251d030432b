/**
 * What is known of how late an event loop was: blocks, and the wait of something that falls due at any moment.
 *
 * A loop that is blocked for 200 ms makes one beat late, and 20 arrivals: each moment of the block counts, not each
 * beat, or the worst waits would be outvoted by a thousand beats that were on time.
 */

export interface EventLoopStats {
  /** How long was watched. */
  observedMs: number;
  /** The share of it, 0 to 1, in which the loop was blocked for at least `thresholdMs` at a stretch. */
  blockedShare: number;
  /** How often that was. */
  blocks: number;
  /** The longest of them; 0 when there was none. */
  longestBlockMs: number;
  /** Of 100 timers or messages that fall due at any moment, 99 wait at most this long. */
  p99Ms: number;
}

/** Waits that are told apart: 0, then 1 ms to 65 s in steps of a fifth. */
const waitsMs = [0, ...Array.from({ length: 65 }, (_, step) => 2 ** (step / 4))];

export class Lateness {
  readonly #thresholdMs: number;
  #observedMs = 0;
  #blockedMs = 0;
  #blocks = 0;
  #longestWaitMs = 0;
  /** Per entry of `waitsMs`: for how long whatever fell due had to wait longer than that. */
  readonly #timeBeyondMs = new Float64Array(waitsMs.length);

  constructor(thresholdMs: number) {
    this.#thresholdMs = thresholdMs;
  }

  /** `elapsedMs` have passed, and in the last `lateMs` of them nothing that was due could run. */
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

  /** The wait that was exceeded for `timeMs` in all, interpolated between those that are told apart. */
  #waitExceededFor(timeMs: number): number {
    const above = this.#timeBeyondMs.findIndex((beyondMs) => beyondMs <= timeMs);
    if (above === 0) return 0;
    if (above === -1) return this.#longestWaitMs;
    const [lowMs, highMs] = [waitsMs[above - 1]!, waitsMs[above]!];
    const [lowTimeMs, highTimeMs] = [this.#timeBeyondMs[above - 1]!, this.#timeBeyondMs[above]!];
    return lowMs + ((highMs - lowMs) * (lowTimeMs - timeMs)) / (lowTimeMs - highTimeMs);
  }
}
