/**
 * Counts the timers that are armed, those in the background too, which `process.getActiveResourcesInfo` leaves out. It takes
 * the place of the globals, which src/runtime/clock.ts reads when it is called.
 */
export class ArmedTimers implements Disposable {
  readonly #armed = new Set<unknown>();
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;

  constructor() {
    const counted = (fire: (...args: unknown[]) => void, delayMs?: number, ...args: unknown[]) => {
      const timer = this.#setTimeout(() => {
        this.#armed.delete(timer);
        fire(...args);
      }, delayMs);
      this.#armed.add(timer);
      return timer;
    };
    globalThis.setTimeout = counted as typeof setTimeout;
    globalThis.clearTimeout = (timer) => {
      this.#armed.delete(timer);
      this.#clearTimeout(timer);
    };
  }

  get count(): number {
    return this.#armed.size;
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#setTimeout;
    globalThis.clearTimeout = this.#clearTimeout;
  }
}
