import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Link, LinkedList } from '../../src/waiting/linked-list.js';

type Item = Link<undefined>;
const newItem = (): Item => new Link(undefined);

/** Both directions must agree, and the ends must have no neighbour. */
function contents(list: LinkedList<Item>): Item[] {
  const forwards: Item[] = [];
  for (let item = list.head; item !== undefined; item = item.next) forwards.push(item);
  const backwards: Item[] = [];
  for (let item = list.tail; item !== undefined; item = item.previous) backwards.unshift(item);
  expect(backwards).toEqual(forwards);
  expect([list.size, list.head, list.tail]).toEqual([forwards.length, forwards[0], forwards.at(-1)]);
  return forwards;
}

describe('linked list', () => {
  test('behaves as an array does, in any order of joining and leaving', () => {
    const step = fc.oneof(
      fc.constant({ do: 'push' as const, nth: 0 }),
      fc.nat(9).map((nth) => ({ do: 'leave' as const, nth })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
        const list = new LinkedList<Item>();
        const model: Item[] = [];
        for (const { do: what, nth } of steps) {
          if (what === 'push') {
            const item = newItem();
            list.push(item);
            model.push(item);
          } else {
            const [item] = model.splice(nth, 1);
            if (item !== undefined) expect(item.leave()).toBe(true);
          }
          const items = contents(list);
          expect(items.length === model.length && items.every((item, i) => item === model[i])).toBe(true);
        }
      }),
    );
  });

  test('an item that left keeps no neighbour alive, and may join again', () => {
    const list = new LinkedList<Item>();
    const [first, second, third] = [newItem(), newItem(), newItem()];
    for (const item of [first, second, third]) list.push(item);
    second.leave();
    expect([second.previous, second.next, second.list]).toEqual([undefined, undefined, undefined]);
    list.push(second);
    expect(contents(list)).toEqual([first, third, second]);
  });

  test('an item that is in no list, or has left it, cannot leave', () => {
    const list = new LinkedList<Item>();
    const [left, stays] = [newItem(), newItem()];
    list.push(left);
    list.push(stays);
    expect([left.leave(), left.leave(), newItem().leave()]).toEqual([true, false, false]);
    expect(contents(list)).toEqual([stays]);
  });

  test('onEmpty is called each time the last item has left', () => {
    let emptied = 0;
    class Watched extends LinkedList<Item> {
      override onEmpty(): void {
        emptied++;
      }
    }
    const list = new Watched();
    const [first, second] = [newItem(), newItem()];
    const seen = [first, second, first].map((item) => {
      list.push(item);
      if (item === second) first.leave();
      if (item === second) second.leave();
      return emptied;
    });
    first.leave();
    expect([...seen, emptied]).toEqual([0, 1, 1, 2]);
  });
});
