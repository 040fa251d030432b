/** Ends a pause early. A ring is remembered until the next `silence`, so that one that comes too early is not lost. */
import { setTimer } from '../clock.js';

export class Bell {
  #rung = false;
  #wake = () => {};

  readonly ring = (): void => {
    this.#rung = true;
    this.#wake();
  };

  silence(): void {
    this.#rung = false;
  }

  /** Until it rings, or has rung, and no longer than `limitMs`. */
  wait(limitMs: number): Promise<void> {
    if (this.#rung) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimer(resolve, limitMs);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
