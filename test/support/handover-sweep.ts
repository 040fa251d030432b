import { getEventListeners } from 'node:events';
import type { WaitOptions } from 'latchkey';
import { vi } from 'vitest';
import { drained, type LockKind, microtasks, type Outcome, watch } from './lock-likes.js';

export type Grant = { release(): unknown };

/** How a waiter gives up, and what its wait then rejects with. */
export interface WayOut {
  readonly name: string;
  options(controller: AbortController): WaitOptions;
  giveUp(controller: AbortController): void;
  isReason(reason: unknown): boolean;
}

export const waysOut: WayOut[] = [
  {
    name: 'an abort',
    options: ({ signal }) => ({ signal }),
    giveUp: (controller) => controller.abort('changed my mind'),
    isReason: (reason) => reason === 'changed my mind',
  },
  {
    name: 'a timeout',
    options: () => ({ waitTimeoutMs: 10 }),
    giveUp: () => vi.advanceTimersByTime(10),
    isReason: (reason) => (reason as { code?: unknown }).code === 'ERR_WAIT_TIMEOUT',
  },
  {
    name: 'nobody giving up',
    options: ({ signal }) => ({ signal, waitTimeoutMs: 10 }),
    giveUp() {},
    isReason: () => false,
  },
];

const offsets = [0, 1, 2, 3, 4, 5, 6];
export const pairs = offsets.flatMap((i) => offsets.map((j) => [i, j] as const));

/**
 * A holder, a waiter that gives up, perhaps one that stays, and a newcomer. The release, the abort and the arrival happen at
 * every offset of microtasks from each other. Returns what went wrong; needs fake timers.
 */
export async function sweep(kind: LockKind, wayOut: WayOut): Promise<string[]> {
  const violations: string[] = [];
  for (const [releaseAt, leaveAt] of pairs) {
    for (const arriveAt of [0, 1, 2, 3, 4]) {
      for (const stayers of [0, 1]) {
        const where = `release@${releaseAt} ${wayOut.name}@${leaveAt} arrive@${arriveAt}, ${stayers} staying`;
        for (const violation of await once(kind, wayOut, { releaseAt, leaveAt, arriveAt, stayers })) {
          violations.push(`${where}: ${violation}`);
        }
      }
    }
  }
  return violations;
}

async function once(
  { make }: LockKind,
  { options, giveUp, isReason }: WayOut,
  { releaseAt, leaveAt, arriveAt, stayers }: Record<'releaseAt' | 'leaveAt' | 'arriveAt' | 'stayers', number>,
): Promise<string[]> {
  const violations: string[] = [];
  const lock = make();
  const running = { now: 1, most: 1 };
  const order: string[] = [];
  const watchGrant = (name: string, promise: Promise<Grant>): Outcome<Grant> =>
    watch(
      // Counts the holders at the same time, from the turn in which each learns of its grant.
      promise.then((grant) => {
        running.now++;
        running.most = Math.max(running.most, running.now);
        order.push(name);
        return grant;
      }),
    );
  const controller = new AbortController();
  const holder = await lock.acquire();
  const leaver = watchGrant('leaver', lock.acquire(options(controller)));
  const waiters = [leaver];
  if (stayers > 0) waiters.push(watchGrant('stayer', lock.acquire()));
  await Promise.all([
    microtasks(releaseAt).then(() => {
      running.now--;
      holder.release();
    }),
    microtasks(leaveAt).then(() => giveUp(controller)),
    microtasks(arriveAt).then(() => waiters.push(watchGrant('newcomer', lock.acquire()))),
  ]);
  await releaseAll(waiters, running);
  if (running.most > 1) violations.push(`${running.most} holders at once`);
  if (waiters.some(({ state }) => state === 'pending')) violations.push('a caller waits for ever');
  if (leaver.state === 'rejected' && !isReason(leaver.reason)) violations.push(`rejects: ${leaver.reason}`);
  const expected = `${leaver.state === 'fulfilled' ? 'leaver,' : ''}${stayers > 0 ? 'stayer,' : ''}newcomer`;
  if (order.join() !== expected) violations.push(`the order was ${order}, not ${expected}`);
  if (!lock.free()) violations.push('a permit was lost');
  if (getEventListeners(controller.signal, 'abort').length > 0) violations.push('a listener was left');
  if (vi.getTimerCount() > 0) violations.push('a timer was left');
  vi.clearAllTimers();
  return violations;
}

/** Releases all permits that were granted, one after the other. */
async function releaseAll(outcomes: Outcome<Grant>[], running: { now: number }): Promise<void> {
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
