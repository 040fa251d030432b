/** Netflix' WindowedLimit: passes a law windows of one second and at least ten calls, instead of single calls. */
import type { LimitSample } from 'latchkey';

export interface Window {
  readonly meanMs: number;
  readonly mostHeld: number;
  readonly anyOverload: boolean;
}

export class Windows {
  #endMs = 0;
  #calls = 0;
  #durationSumMs = 0;
  #mostHeld = 0;
  #anyOverload = false;

  /** @returns the window that this sample ends, if it does. */
  add({ nowMs, durationMs, held, outcome }: LimitSample): Window | undefined {
    this.#calls++;
    this.#durationSumMs += durationMs;
    this.#mostHeld = Math.max(this.#mostHeld, held);
    if (outcome === 'overload') this.#anyOverload = true;
    if (nowMs <= this.#endMs) return undefined;
    this.#endMs = nowMs + 1_000;
    const calls = this.#calls;
    const window = {
      meanMs: this.#durationSumMs / calls,
      mostHeld: this.#mostHeld,
      anyOverload: this.#anyOverload,
    };
    this.#calls = 0;
    this.#durationSumMs = 0;
    this.#mostHeld = 0;
    this.#anyOverload = false;
    return calls >= 10 ? window : undefined;
  }
}
