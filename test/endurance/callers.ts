/**
 * The options and tasks of callers: a signal of their own or a shared one, a timeout, a task that fails in one of many ways.
 * Signals are kept until the round is over, to count the listeners that were left on them.
 */
import { getEventListeners } from 'node:events';
import type { WaitOptions } from '../../src/index.js';
import { SeededRandom } from '../support/seeded-random.js';

const sharedSignals = 4;

export class Callers {
  readonly random: SeededRandom;
  readonly #shared = Array.from({ length: sharedSignals }, () => new AbortController());
  #ofThisRound: AbortSignal[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  /** Mostly without an end; sometimes with a signal or a timeout that ends the wait before, at, or after the grant. */
  options(): WaitOptions {
    const { random } = this;
    const kind = random.below(10);
    if (kind < 4) return {};
    if (kind < 6) return { signal: this.#sharedSignal() };
    if (kind < 9) return { signal: this.signal() };
    return { waitTimeoutMs: random.below(3) };
  }

  /** A signal of the caller's own: it is aborted already, in this turn, in a later one, or never. */
  signal(): AbortSignal {
    const controller = new AbortController();
    this.#ofThisRound.push(controller.signal);
    this.random.pick([
      () => controller.abort('before'),
      () => queueMicrotask(() => controller.abort('soon')),
      () => setImmediate(() => controller.abort('later')),
      () => {},
    ])();
    return controller.signal;
  }

  /** What a caller does when its turn has come. */
  readonly task = (): unknown => {
    const { random } = this;
    switch (random.below(8)) {
      case 0:
        throw new Error('a task that throws');
      case 1:
        return Promise.reject(new Error('a task that rejects'));
      case 2:
        return 'a value at once';
      case 3:
        return turns(1);
      case 4:
        // biome-ignore lint/suspicious/noThenProperty: a thenable that settles twice is what this is about
        return { then: (resolve: (value: string) => void) => [resolve('once'), resolve('twice')] };
      default:
        return microtasks(random.below(4));
    }
  };

  /** Listeners left on any signal that was used in this round. */
  get listeners(): number {
    const signals = [...this.#shared.map(({ signal }) => signal), ...this.#ofThisRound];
    return signals.reduce((sum, signal) => sum + getEventListeners(signal, 'abort').length, 0);
  }

  endRound(): void {
    this.#ofThisRound = [];
  }

  #sharedSignal(): AbortSignal {
    const { random } = this;
    const index = random.below(sharedSignals);
    const controller = this.#shared[index] as AbortController;
    if (random.chance(0.0005)) {
      this.#shared[index] = new AbortController();
      this.#ofThisRound.push(controller.signal);
      setImmediate(() => controller.abort('all of them'));
    }
    return controller.signal;
  }
}

export async function microtasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** For promises whose outcome does not matter. */
export function quietly(settling: Promise<unknown>): Promise<unknown> {
  return settling.catch(() => {});
}
