/** Virtual time: things happen in the order of their times, and at one time in the order in which they were planned. */
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
  readonly #heap: Planned[] = [];
  #sequence = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  after(delayMs: number, happen: () => void): Planned {
    return this.at(this.nowMs + delayMs, happen);
  }

  at(atMs: number, happen: () => void): Planned {
    const planned = { atMs, sequence: this.#sequence++, happen, cancelled: false };
    this.#push(planned);
    return planned;
  }

  run(untilMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#dropFirst();
      if (next.cancelled) continue;
      this.nowMs = next.atMs;
      next.happen();
    }
    this.nowMs = untilMs;
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let hole = heap.length;
    heap.push(planned);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (isBefore(heap[parent]!, planned)) break;
      heap[hole] = heap[parent]!;
      hole = parent;
    }
    heap[hole] = planned;
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = last;
  }
}

function isBefore(one: Planned, other: Planned): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.sequence < other.sequence);
}
