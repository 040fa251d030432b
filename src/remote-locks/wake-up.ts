import { setTimer } from '../runtime/clock.js';

/** Ends a pause early. A `set` is kept until the next `reset`, so that a wake-up that comes before the pause is not lost. */
export class WakeUp {
  #isSet = false;
  #wake = () => {};

  readonly set = (): void => {
    this.#isSet = true;
    this.#wake();
  };

  reset(): void {
    this.#isSet = false;
  }

  /** Resolves when `set` is called or was called since the last `reset`, and after `limitMs` at the latest. */
  wait(limitMs: number): Promise<void> {
    if (this.#isSet) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimer(resolve, limitMs);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
