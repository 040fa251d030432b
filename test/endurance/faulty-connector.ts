import type { ConnectContext, Connector } from '../../src/index.js';
import type { SeededRandom } from '../support/seeded-random.js';
import { turns } from './callers.js';

export interface FaultyConnection {
  /** The end of the session by the server. */
  lose(): void;
}

/** Connections in memory to a faulty server: dials fail or hang, connections are lost, hooks throw. */
export class FaultyConnector implements Connector<FaultyConnection, number> {
  /** Connections that were made and not closed. */
  open = 0;
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  connect(
    _key: number,
    { lost, drain, signal }: ConnectContext,
  ): FaultyConnection | Promise<FaultyConnection> {
    const fate = this.#random.below(200);
    if (fate === 0) throw new Error('a dial that throws');
    if (fate === 1) return Promise.reject(new Error('a dial that is refused'));
    if (fate === 2) return this.#hang(signal);
    this.open++;
    if (fate < 6) setImmediate(lost);
    if (fate < 9) setImmediate(drain);
    const connection = { lose: () => lost(new Error('the session has ended')) };
    return fate < 50 ? turns(1).then(() => connection) : connection;
  }

  close(): Promise<void> {
    this.open--;
    const fate = this.#random.below(200);
    if (fate === 0) throw new Error('a close that throws');
    if (fate === 1) return new Promise(() => {});
    return turns(fate < 50 ? 1 : 0);
  }

  isAlive(): boolean {
    return !this.#random.chance(0.002);
  }

  isReusable(): boolean {
    if (this.#random.chance(0.01)) throw new Error('an isReusable that throws');
    return this.#random.chance(0.8);
  }

  validate(): Promise<boolean> | boolean {
    const fate = this.#random.below(200);
    if (fate === 0) return new Promise(() => {});
    if (fate === 1) throw new Error('a validation that throws');
    return fate > 2;
  }

  #hang(signal: AbortSignal): Promise<never> {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  }
}
