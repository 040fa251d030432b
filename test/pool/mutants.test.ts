/** Tests of the tests: pools that are wrong on purpose, each of which a claim or the random model must find out. */
import { describe, expect, test } from 'vitest';
import { type Mutant, mutated } from '../support/mutated.js';
import { type Claim, verify } from './claims/claim.js';
import { claims } from './claims/index.js';
import { runRandomPool } from './random-pool.js';

const core = 'pool/pool-core.ts';
const inventory = 'pool/inventory.ts';
const keyState = 'pool/key-state.ts';

const mutants: Mutant[] = [
  {
    name: 'does not count closing connections',
    file: 'pool/slot.ts',
    from: 'this.checking + this.closing',
    to: 'this.checking',
  },
  {
    name: 'spends a wake-up on a waiter who has given up',
    file: 'wait-queue.ts',
    from: 'if (!this.leave()) return;\n    this.#reject?.(reason);',
    to: 'this.#reject?.(reason);',
  },
  {
    name: 'ignores a validation that rejects',
    file: inventory,
    from: 'error: (error) => this.#sections.run(() => fail(error)),',
    to: 'error: () => {},',
  },
  {
    name: 'leases a draining connection again',
    file: core,
    from: 'else if (slot.retireReason !== undefined) this.#inventory.retire(slot, slot.retireReason);',
    to: '',
  },
  {
    name: "lets one caller's abort kill the dial of all",
    file: core,
    from: 'this.#counters[why]++;',
    to: `this.#counters[why]++;
      for (const slot of this.#inventory.slots) if (slot.state === 'connecting') slot.interrupt?.(why);`,
  },
  {
    name: 'does not pass the slot of a failed dial on',
    file: core,
    from: 'connectError(key.key, error));\n    this.#pump(key);',
    to: 'connectError(key.key, error));',
  },
  {
    name: 'tells nobody of a failed dial',
    file: core,
    from: 'if (key.serving === 0) this.#refuse(key',
    to: 'if (false) this.#refuse(key',
  },
  {
    name: 'tells everybody of a failed dial, served or not',
    file: core,
    from: 'if (key.serving === 0) this.#refuse(key',
    to: 'this.#refuse(key',
  },
  {
    name: 'does not ask again for the generation when a connection arrives',
    file: core,
    from: "if (slot.generation !== key.generation) this.#inventory.retire(slot, 'reset');\n    else if",
    to: 'if',
  },
  {
    name: 'keeps a second shared connection',
    file: core,
    from: 'if (fresh !== undefined && this.#settings.leasesPerConnection > 1 && key.spare.size > 0) {',
    to: 'if (false) {',
  },
  {
    name: 'does not close a connection that arrives too late',
    file: inventory,
    from: "slot.connection = connection;\n          this.#close(slot, slot.retireReason ?? 'error');",
    to: 'this.#free(slot);',
  },
  {
    name: 'evicts every idle connection',
    file: core,
    from: 'head !== undefined && census.leaving < this.#starved.demand;',
    to: 'head !== undefined && this.#starved.demand > 0;',
  },
  {
    name: 'evicts none',
    file: core,
    from: 'head !== undefined && census.leaving < this.#starved.demand;',
    to: 'false;',
  },
  {
    name: 'never takes a slot from a busy key',
    file: 'pool/starved-keys.ts',
    from: 'other !== undefined &&\n',
    to: 'false && other !== undefined &&\n',
  },
  {
    name: 'gives a slot back to the key that yielded it',
    file: core,
    from: 'this.#starved.sendToEnd(key, nowMs);',
    to: '',
  },
  {
    name: 'dials for waiters whom a dial under way will serve',
    file: keyState,
    from: '(this.waiting - this.leasesToCome)',
    to: 'this.waiting',
  },
  {
    name: 'dials on during the backoff',
    file: core,
    from: 'key.backoff === undefined ? wanted : 0',
    to: 'wanted',
  },
  {
    name: 'counts dials that fail together one by one',
    file: keyState,
    from: 'if (failuresBefore === this.failures) this.failures++;',
    to: 'this.failures += 3;',
  },
  {
    name: 'never gives up on a close that hangs',
    file: inventory,
    from: "timeout: () => this.#sections.run(() => this.#abandon(slot, 'close')),",
    to: 'timeout: () => {},',
  },
  {
    name: 'says that it is closed before it is',
    file: core,
    from: 'if (this.#closed === undefined || this.#inventory.census.total > 0) return;',
    to: 'if (this.#closed === undefined) return;',
  },
  {
    name: 'believes a second release',
    file: 'pool/lease.ts',
    from: 'if (this.#released) {',
    to: 'if (false) {',
  },
  {
    name: 'takes the lifetime for a matter of idle connections only',
    file: core,
    from: "else if (fresh === undefined && nowMs >= slot.expiresMs) this.#inventory.retire(slot, 'lifetime');",
    to: '',
  },
];

const everyClaim: Claim[] = Object.values(claims).flat();
const realSetTimeout = setTimeout;

function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => realSetTimeout(() => reject(new Error('it hangs')), limitMs)),
  ]);
}

describe('a pool that', () => {
  for (const mutant of mutants) {
    test(`${mutant.name} is found out`, async () => {
      const { ConnectionPool } = await mutated(mutant);
      const killers: string[] = [];
      for (const claim of everyClaim) {
        await within(2_000, verify(claim, ConnectionPool)).catch(() => killers.push(claim.title));
        if (killers.length > 0) return;
      }
      for (let seed = 1; seed <= 100 && killers.length === 0; seed++) {
        const problems = await runRandomPool(seed, ConnectionPool);
        if (problems.length > 0) killers.push(`the random model, seed ${seed}`);
      }
      expect(killers).not.toEqual([]);
    });
  }
});
