/** Netflix' Gradient2Limit inside its WindowedLimit: short mean against long mean, with a tolerance of half. */
import type { LimitSample } from 'latchkey';
import type { Law } from '../simulation/client.js';
import { clamp, whole } from './bounds.js';
import { Windows } from './windows.js';

const tolerance = 1.5;
const queue = 4;
const smoothing = 0.2;
const longWindow = 600;
const warmUp = 10;

export class Gradient2 implements Law {
  readonly #windows = new Windows();
  #limit = 20;
  #windowCount = 0;
  #sumMs = 0;
  #longMs = 0;

  get limit(): number {
    return whole(this.#limit);
  }

  onSample(sample: LimitSample): void {
    const window = this.#windows.add(sample);
    if (window !== undefined) this.#judge(window.meanMs, window.mostHeld);
  }

  #judge(shortMs: number, mostHeld: number): void {
    if (this.#windowCount < warmUp) {
      this.#sumMs += shortMs;
      this.#longMs = this.#sumMs / ++this.#windowCount;
    } else this.#longMs += (2 / (longWindow + 1)) * (shortMs - this.#longMs);
    const gradient = clamp((tolerance * this.#longMs) / shortMs, 0.5, 1);
    if (this.#longMs / shortMs > 2) this.#longMs *= 0.95;
    if (mostHeld < this.#limit / 2) return;
    const wanted = this.#limit * gradient + queue;
    this.#limit = clamp(this.#limit * (1 - smoothing) + wanted * smoothing);
  }
}
