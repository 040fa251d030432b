/** Virtual time: things happen in the order of their times, and at one time in the order in which they were planned. */
import { Heap } from './heap.js';
import { SeededRandom } from './random.js';

export interface Planned {
  readonly atMs: number;
  readonly sequence: number;
  readonly happen: () => void;
  cancelled: boolean;
}

export class Timeline {
  readonly random: SeededRandom;
  nowMs = 0;
  readonly #heap = new Heap(isBefore);
  #sequence = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  after(delayMs: number, happen: () => void): Planned {
    return this.at(this.nowMs + delayMs, happen);
  }

  at(atMs: number, happen: () => void): Planned {
    const planned = { atMs, sequence: this.#sequence++, happen, cancelled: false };
    this.#heap.push(planned);
    return planned;
  }

  run(untilMs: number): void {
    while (this.step(untilMs));
    this.nowMs = untilMs;
  }

  /** The next thing happens. @returns false when there is none until then. */
  step(untilMs: number): boolean {
    const next = this.#heap.first;
    if (next === undefined || next.atMs > untilMs) return false;
    this.#heap.dropFirst();
    if (next.cancelled) return true;
    this.nowMs = next.atMs;
    next.happen();
    return true;
  }
}

function isBefore(one: Planned, other: Planned): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.sequence < other.sequence);
}
