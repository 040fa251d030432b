import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KeyState } from '../../src/pool/key-state.js';
import type { Slot } from '../../src/pool/slot.js';
import { StarvedKeys } from '../../src/pool/starved-keys.js';
import { Link } from '../../src/waiting/linked-list.js';

type Key = KeyState<object, string>;

/** As much of a key as the line looks at. */
function keyNamed(id: string): Key {
  const key = {
    id,
    demand: 0,
    demandIsPromising: false,
    starvedSinceMs: 0,
    isPromising: () => true,
  } as unknown as Key;
  return Object.assign(key, { starved: new Link(key) });
}

const slotOf = (key: Key, bornMs: number) => ({ key, bornMs }) as Slot<object, string>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the line of starved keys', () => {
  test('demand is the sum of the last wish of each key', () => {
    const line = new StarvedKeys<object, string>();
    const [a, b] = [keyNamed('a'), keyNamed('b')];
    line.want(a, 3);
    line.want(b, 2);
    line.want(a, 1);
    expect([line.demand, a.demand]).toEqual([3, 1]);
    line.want(b, 0);
    expect([line.demand, line.next()?.id, line.next()]).toEqual([1, 'a', undefined]);
  });

  test('a key that wants more, or fewer, keeps its place; a key that wants none loses it', () => {
    const line = new StarvedKeys<object, string>();
    const [a, b] = [keyNamed('a'), keyNamed('b')];
    line.want(a, 1);
    vi.advanceTimersByTime(50);
    line.want(b, 1);
    line.want(a, 2);
    expect(a.starvedSinceMs).toBe(0);
    expect(line.next()).toBe(a);
    line.want(a, 1);
    expect(line.next()).toBe(b);
    line.want(a, 0);
    expect(line.next()).toBeUndefined();
  });

  test('a busy connection may be taken when it has lived, and another key has starved, for 100 ms each', () => {
    const line = new StarvedKeys<object, string>();
    const [own, other] = [keyNamed('own'), keyNamed('other')];
    const mayTake = (nowMs: number, bornMs: number, leaving = 0) =>
      line.mayTake(slotOf(own, bornMs), leaving, nowMs);
    expect(mayTake(1_000, 0)).toBe(false);
    line.want(own, 1);
    expect(mayTake(1_000, 0)).toBe(false);
    vi.advanceTimersByTime(100);
    line.want(other, 1);
    expect([mayTake(199, 0), mayTake(200, 0)]).toEqual([false, true]);
    expect([mayTake(500, 401), mayTake(500, 400)]).toEqual([false, true]);
    // A slot that is on its way out already is enough for the starving key.
    expect([mayTake(500, 0, 0), mayTake(500, 0, 1)]).toEqual([true, false]);
    line.want(other, 2);
    expect([mayTake(500, 0, 1), mayTake(500, 0, 2)]).toEqual([true, false]);
  });

  test('the demand of a key does not take its own connections', () => {
    const line = new StarvedKeys<object, string>();
    const [own, other] = [keyNamed('own'), keyNamed('other')];
    line.want(other, 1);
    line.want(own, 5);
    expect(line.mayTake(slotOf(own, 0), 1, 1_000)).toBe(false);
    expect(line.mayTake(slotOf(other, 0), 1, 1_000)).toBe(true);
  });

  test('a key that gives a slot up goes to the end of the line, if it wants another', () => {
    const line = new StarvedKeys<object, string>();
    const [a, b] = [keyNamed('a'), keyNamed('b')];
    line.want(a, 1);
    line.want(b, 1);
    line.sendToEnd(a, 700);
    expect(a.starvedSinceMs).toBe(700);
    line.sendToEnd(keyNamed('idle'), 700);
    expect([line.next(), line.next(), line.next()]).toEqual([b, a, undefined]);
  });
});
