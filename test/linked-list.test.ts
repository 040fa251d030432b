import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Linked, LinkedList } from '../src/linked-list.js';

class Item implements Linked<Item> {
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;
  list: LinkedList<Item> | undefined = undefined;
}

/** Both directions must tell the same, and the ends must end. */
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
  test('does what an array does, whatever is pushed and removed', () => {
    const step = fc.oneof(
      fc.constant({ do: 'push' as const, nth: 0 }),
      fc.nat(9).map((nth) => ({ do: 'remove' as const, nth })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
        const list = new LinkedList<Item>();
        const model: Item[] = [];
        for (const { do: what, nth } of steps) {
          if (what === 'push') {
            const item = new Item();
            list.push(item);
            model.push(item);
          } else {
            const [item] = model.splice(nth, 1);
            if (item !== undefined) expect(list.remove(item)).toBe(true);
          }
          const items = contents(list);
          expect(items.length === model.length && items.every((item, i) => item === model[i])).toBe(true);
        }
      }),
    );
  });

  test('an item that left keeps no neighbour alive, and may join again', () => {
    const list = new LinkedList<Item>();
    const [first, second, third] = [new Item(), new Item(), new Item()];
    for (const item of [first, second, third]) list.push(item);
    list.remove(second);
    expect([second.previous, second.next, second.list]).toEqual([undefined, undefined, undefined]);
    list.push(second);
    expect(contents(list)).toEqual([first, third, second]);
  });

  test('removing what is not in the list, or not any more, changes nothing', () => {
    const list = new LinkedList<Item>();
    const other = new LinkedList<Item>();
    const [mine, theirs] = [new Item(), new Item()];
    list.push(mine);
    other.push(theirs);
    expect([list.remove(theirs), list.remove(new Item())]).toEqual([false, false]);
    list.remove(mine);
    expect(list.remove(mine)).toBe(false);
    expect([list.size, other.size]).toEqual([0, 1]);
  });
});
