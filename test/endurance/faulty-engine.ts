import type { LeaseAnswer, LeaseEngine, LeaseRequest } from '../../src/remote-locks/lease-engine.js';
import type { SeededRandom } from '../support/seeded-random.js';

/** A database in memory, some of whose commands fail, before or after their effect. */
export class FaultyEngine implements LeaseEngine {
  readonly #random: SeededRandom;
  readonly #owners = new Map<string, string>();
  #tokens = 0n;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** How many keys are held. */
  get held(): number {
    return this.#owners.size;
  }

  async acquire({ key, owner }: LeaseRequest): Promise<LeaseAnswer> {
    this.#mayFail();
    const holder = this.#owners.get(key);
    if (holder !== undefined && holder !== owner) return { freeInMs: 1 };
    this.#owners.set(key, owner);
    this.#mayFail();
    return { token: ++this.#tokens };
  }

  async renew(key: string, owner: string): Promise<boolean> {
    return this.#owners.get(key) === owner;
  }

  async release(key: string, owner: string): Promise<boolean> {
    return this.#owners.get(key) === owner && this.#owners.delete(key);
  }

  #mayFail(): void {
    if (this.#random.chance(0.005)) throw new Error('the database does not answer');
  }
}
