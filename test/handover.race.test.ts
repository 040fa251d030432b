/**
 * The microtask sweep: two or three events are let loose at every offset of microtasks from each other. A scheduler
 * that lets promises drain between steps cannot land inside a hand-over; these do.
 */
import { describe, expect, test } from 'vitest';
import { brokenLocks } from './support/broken-locks.js';
import { drained, type LockKind, lockLikes, microtasks, type Outcome, watch } from './support/lock-likes.js';

const offsets = [0, 1, 2, 3, 4, 5, 6];
const pairs = offsets.flatMap((i) => offsets.map((j) => [i, j] as const));

type Grant = { release(): unknown };

/** Lets go of whatever was granted, one after the other, and tells whether the lock is free in the end. */
async function releaseAll(outcomes: Outcome<Grant>[], running: { now: number; most: number }): Promise<void> {
  for (let rounds = 0; rounds < outcomes.length + 1; rounds++) {
    await drained();
    for (const outcome of outcomes) {
      const grant = outcome.value;
      if (grant === undefined) continue;
      delete outcome.value;
      running.now--;
      grant.release();
    }
  }
}

/** Counts how many hold the lock at the same time, from the turn in which each learns of his grant. */
function watchGrant(promise: Promise<Grant>, running: { now: number; most: number }): Outcome<Grant> {
  return watch(
    promise.then((grant) => {
      running.now++;
      running.most = Math.max(running.most, running.now);
      return grant;
    }),
  );
}

/** A holder, a waiter who gives up, a waiter who stays, a newcomer: released, aborted and arrived at any offset. */
async function sweep({ make }: LockKind): Promise<string[]> {
  const violations: string[] = [];
  for (const [releaseAt, abortAt] of pairs) {
    for (const arriveAt of [0, 1, 2, 3, 4]) {
      const lock = make();
      const running = { now: 1, most: 1 };
      const controller = new AbortController();
      const order: string[] = [];
      const holder = await lock.acquire();
      const leaver = watchGrant(lock.acquire({ signal: controller.signal }), running);
      const stayer = watchGrant(
        lock.acquire().then((grant) => {
          order.push('stayer');
          return grant;
        }),
        running,
      );
      let newcomer: Outcome<Grant> | undefined;
      await Promise.all([
        microtasks(releaseAt).then(() => {
          running.now--;
          holder.release();
        }),
        microtasks(abortAt).then(() => controller.abort()),
        microtasks(arriveAt).then(() => {
          newcomer = watchGrant(
            lock.acquire().then((grant) => {
              order.push('newcomer');
              return grant;
            }),
            running,
          );
        }),
      ]);
      const all = [leaver, stayer, ...(newcomer === undefined ? [] : [newcomer])];
      await releaseAll(all, running);
      const where = `release@${releaseAt} abort@${abortAt} arrive@${arriveAt}`;
      if (running.most > 1) violations.push(`${where}: ${running.most} holders at once`);
      if (all.some(({ state }) => state === 'pending')) violations.push(`${where}: somebody waits for ever`);
      if (order.join() !== 'stayer,newcomer') violations.push(`${where}: the order was ${order}`);
      if (!lock.free()) violations.push(`${where}: a permit was lost`);
    }
  }
  return violations;
}

describe('the microtask sweep', () => {
  test.each(lockLikes)(
    '$name: no offset of release, abort and newcomer loses or doubles a permit',
    async (kind) => {
      expect(await sweep(kind)).toEqual([]);
    },
  );

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
    expect(await sweep(kind)).not.toEqual([]);
  });
});
