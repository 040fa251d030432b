/**
 * The microtask sweep: two or three events happen at every offset of microtasks from each other. A scheduler that drains
 * promises between steps cannot land inside a hand-over; these do. And the test of the test: the sweep must fail each lock
 * with a known mistake. Packages with one line changed are in mutants/.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { brokenLocks } from '../support/broken-locks.js';
import { type Grant, pairs, sweep, waysOut } from '../support/handover-sweep.js';
import { drained, lockLikes, microtasks, watch } from '../support/lock-likes.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

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
    const violations: string[] = [];
    for (const wayOut of waysOut) violations.push(...(await sweep(kind, wayOut)));
    expect(violations).not.toEqual([]);
  });
});
