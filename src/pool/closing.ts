import { now, setTimer, type Timer } from '../runtime/clock.js';
import type { DeferredCalls } from './deferred-calls.js';

/** The end of a pool: one promise, and the grace that remains. */
export class Closing {
  readonly promise: Promise<void>;
  /** Newcomers are refused; those who wait are still served. */
  isDraining: boolean;
  readonly #deferred: DeferredCalls;
  readonly #onGraceOver: () => void;
  #resolve!: () => void;
  #isOver = false;
  #grace: { readonly endsMs: number; readonly timer: Timer } | undefined;

  constructor(isDraining: boolean, deferred: DeferredCalls, onGraceOver: () => void) {
    this.isDraining = isDraining;
    this.#deferred = deferred;
    this.#onGraceOver = onGraceOver;
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** The shorter grace wins. */
  endWithin(graceMs: number): void {
    const endsMs = now() + graceMs;
    if (this.#isOver || endsMs >= (this.#grace?.endsMs ?? Infinity)) return;
    this.#grace?.timer.cancel();
    this.#grace = { endsMs, timer: this.#deferred.context.run(setTimer, this.#onGraceOver, graceMs) };
  }

  finish(): void {
    this.#isOver = true;
    this.#grace?.timer.cancel();
    this.#resolve();
  }
}
