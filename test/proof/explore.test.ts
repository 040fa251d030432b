/**
 * Every schedule of small worlds: in every order in which callers ask, give up, release, answer or fail, the primitive does
 * what its model does, and in the end no caller waits and nothing is left. And the tests of the test.
 */
import { describe, expect, test } from 'vitest';
import { brokenLocks } from '../support/broken-locks.js';
import * as everything from '../support/everything.js';
import { explore, type Hurry, type World } from '../support/explore.js';
import { inFakeTime } from '../support/fake-time.js';
import type { LockKind } from '../support/lock-likes.js';
import { oneHolder } from '../support/worlds/lock-subjects.js';
import { LockWorld } from '../support/worlds/locks.js';
import { hurries, smallWorlds, tinyWorlds } from '../support/worlds/small-worlds.js';

describe('every schedule', () => {
  test.each([...tinyWorlds, ...smallWorlds])('$primitive: $story', async ({ make }) => {
    const { wrong, schedules } = await inFakeTime(() => explore(() => make(everything)));
    expect(wrong).toBeUndefined();
    // A world with hardly any move would prove nothing.
    expect(schedules).toBeGreaterThan(20);
  });
});

/** Each of `count` users makes two moves, one after the other, and counts them. */
function walkers(count: number, seen: Set<string>, isWrong = (_trace: string) => false): World {
  const done = Array.from({ length: count }, () => 0);
  let trace = '';
  const step = (i: number) => {
    done[i] = (done[i] ?? 0) + 1;
    trace += i;
    seen.add(trace);
  };
  return {
    moves: () => done.flatMap((steps, i) => (steps < 2 ? [[`${i}`, () => step(i)] as const] : [])),
    wrongs: () => (isWrong(trace) ? [`${trace} is wrong`] : []),
    leftovers: () => [],
  };
}

describe('the explorer', () => {
  test('walks every order, and each once', async () => {
    const seen = new Set<string>();
    expect(await explore(() => walkers(3, seen))).toEqual({ schedules: 90, wrong: undefined });
    expect([...seen].filter((trace) => trace.length === 6)).toHaveLength(90);
  });

  test('stops at the first fault, and reports the moves before it', async () => {
    const { schedules, wrong } = await explore(() => walkers(2, new Set(), (trace) => trace === '010'));
    expect([schedules, wrong]).toEqual([2, '010 is wrong | after: 0, 1, 0']);
  });

  test('reports a world that goes in circles, and one that is not the same each time', async () => {
    const endless: World = { moves: () => [['again', () => {}]], wrongs: () => [], leftovers: () => [] };
    expect((await explore(() => endless)).wrong).toMatch(/^it never ends/);
    let worlds = 0;
    await expect(explore(() => walkers(2 + (worlds++ % 2), new Set()))).rejects.toThrow('not deterministic');
  });

  const findsOut = async ({ name, make }: LockKind, hurry?: Hurry) => {
    const workers = [{ wants: ['it'] }, { wants: ['it'] }, { wants: ['it'], mayAbort: true }];
    const world = () => new LockWorld(oneHolder(name, make), everything, { workers });
    return (await inFakeTime(() => explore(world, hurry))).wrong !== undefined;
  };

  test.each(brokenLocks)('fails a lock that $name', async (kind) => {
    let isFoundOut = await findsOut(kind);
    for (const hurry of hurries) isFoundOut ||= await findsOut(kind, hurry);
    expect(isFoundOut).toBe(true);
  });

  test('needs moves that follow closely: a lock that is late by a microtask passes when microtasks are drained', async () => {
    const late = brokenLocks.find(({ name }) => name === 'grants one microtask after the release');
    expect(await findsOut(late!)).toBe(false);
  });
});
