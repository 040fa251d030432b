/**
 * The microtask sweep: two or three events are let loose at every offset of microtasks from each other. A scheduler
 * that lets promises drain between steps cannot land inside a hand-over; these do. And the tests of the test: locks
 * that are wrong in one way each, and the package's own with one line changed, all of which the sweep must find out.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { brokenLocks } from './support/broken-locks.js';
import { type Grant, pairs, sweep, waysOut } from './support/handover-sweep.js';
import { drained, type LockKind, lockLikes, lockLikesOf, microtasks, watch } from './support/lock-likes.js';
import { type Mutant, mutated } from './support/mutated.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function violationsOf(kinds: LockKind[]): Promise<string[]> {
  for (const kind of kinds) {
    for (const wayOut of waysOut) {
      const violations = await sweep(kind, wayOut);
      if (violations.length > 0) return violations;
    }
  }
  return [];
}

describe.each(waysOut)('the microtask sweep, with $name', (wayOut) => {
  test.each(lockLikes)(
    '$name: no offset of release, giving up and newcomer loses or doubles a permit',
    async (kind) => {
      expect(await sweep(kind, wayOut)).toEqual([]);
    },
  );
});

describe('the microtask sweep', () => {
  test.each(lockLikes.filter(({ make }) => make().close !== undefined))(
    '$name: at no offset of release and close does a waiter stay pending',
    async ({ make }) => {
      for (const [releaseAt, closeAt] of pairs) {
        const lock = make();
        const holder = await lock.acquire();
        const waiters = [watch(lock.acquire()), watch(lock.run(() => 'ran'))];
        await Promise.all([
          microtasks(releaseAt).then(() => holder.release()),
          microtasks(closeAt).then(() => {
            lock.close?.();
          }),
        ]);
        await drained();
        (waiters[0]?.value as Grant | undefined)?.release();
        await drained();
        expect(waiters.map(({ times }) => times)).toEqual([1, 1]);
        expect(lock.free()).toBe(true);
      }
    },
  );

  test.each(brokenLocks)('fails a lock that $name', async (kind) => {
    expect(await violationsOf([kind])).not.toEqual([]);
  });
});

const queue = 'wait-queue.ts';
const keyed = 'keyed-mutex.ts';
const mutants: Mutant[] = [
  {
    name: 'grants a waiter who has given up',
    file: queue,
    from: 'if (!this.leave()) return;\n    this.#reject?.(reason);',
    to: 'this.#reject?.(reason);',
  },
  {
    name: 'keeps the timer of a waiter who was granted',
    file: queue,
    from: 'this.#deadline?.cancel();',
    to: '',
  },
  {
    name: 'keeps the listener of a waiter who was granted',
    file: queue,
    from: 'this.#abort?.cancel();',
    to: '',
  },
  {
    name: 'grants the youngest waiter',
    file: queue,
    from: 'const { head } = this.#waiters;\n    if',
    to: 'const head = this.#waiters.tail;\n    if',
  },
  {
    name: 'never takes its listener off a signal',
    file: 'abort-listeners.ts',
    from: "this.#signal.removeEventListener('abort', this);",
    to: '',
  },
  { name: 'never stops its timer', file: 'deadlines.ts', from: 'this.#timer?.cancel();', to: '' },
  {
    name: 'frees the mutex before it hands it over',
    file: 'mutex.ts',
    from: 'if (this.waiting > 0) this.#queue',
    to: 'this.locked = false;\n    if (this.waiting > 0) this.#queue',
  },
  {
    name: 'hands the mutex over a microtask late',
    file: 'mutex.ts',
    from: 'if (this.waiting > 0) this.#queue?.grant(new MutexPermit(this));',
    to: 'if (this.waiting > 0) queueMicrotask(() => this.#queue?.grant(new MutexPermit(this)));',
  },
  {
    name: 'believes a second release',
    file: 'mutex.ts',
    from: 'const state = this.#state;\n    this.#state = undefined;',
    to: 'const state = this.#state;\n    queueMicrotask(() => state?.release());',
  },
  {
    name: 'forgets a key that has passed to the next holder',
    file: keyed,
    from: 'else contenders.queue.grant(this.#grant(key, contenders));',
    to: 'else contenders.queue.grant(this.#grant(key, contenders));\n    this.#leases.delete(key);',
  },
  {
    name: 'keeps the keys of a caller who has given up the others',
    file: keyed,
    from: 'for (const place of this.#places) place.leave();\n    for (const lease of this.#leases) lease.release();',
    to: 'for (const place of this.#places) place.leave();',
  },
  {
    name: 'keeps the places of a caller who has given up',
    file: keyed,
    from: 'for (const place of this.#places) place.leave();',
    to: '',
  },
  {
    name: 'counts units that nobody holds any more',
    file: 'semaphore.ts',
    from: 'this.held -= weight;\n    this.serve();',
    to: 'this.serve();\n    this.held -= weight;',
  },
];

describe('the microtask sweep finds out a package that', () => {
  test.each(mutants)('$name', async (mutant) => {
    expect(await violationsOf(lockLikesOf(await mutated(mutant)))).not.toEqual([]);
  });
});
