import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Place, PlaceQueue } from '../../src/waiting/place-queue.js';

type Item = Place<number>;

function queueOf(size: number): { queue: PlaceQueue<Item>; items: Item[] } {
  const queue = new PlaceQueue<Item>();
  const items = Array.from({ length: size }, (_, n) => new Place(n));
  for (const item of items) queue.push(item);
  return { queue, items };
}

/** Takes everything out, the oldest first. */
function drain(queue: PlaceQueue<Item>): number[] {
  const drained: number[] = [];
  for (let { head } = queue; head !== undefined; head = queue.head) {
    head.leave();
    drained.push(head.item);
  }
  return drained;
}

describe('place queue', () => {
  test('PQ1: does what an array does, whatever joins and leaves', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('push' as const), count: fc.integer({ min: 1, max: 400 }) }),
      fc.record({
        do: fc.constant('leave' as const),
        from: fc.nat(600),
        count: fc.integer({ min: 1, max: 600 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12, size: 'max' }), (steps) => {
        const queue = new PlaceQueue<Item>();
        const model: Item[] = [];
        for (const what of steps) {
          if (what.do === 'push') {
            for (let i = 0; i < what.count; i++) {
              const item = new Place(i);
              queue.push(item);
              model.push(item);
            }
          } else for (const item of model.splice(what.from, what.count)) expect(item.leave()).toBe(true);
          expect(queue.size).toBe(model.length);
          expect(queue.head === model[0]).toBe(true);
          const items = queue.items();
          expect(items.length === model.length && items.every((item, i) => item === model[i])).toBe(true);
        }
        expect(drain(queue)).toEqual(model.map(({ item }) => item));
      }),
      { numRuns: 60 },
    );
  });

  test('PQ2: a queue that is empty now and then uses its places again', () => {
    const queue = new PlaceQueue<Item>();
    const blocks = new Set<unknown>();
    for (let n = 0; n < 1_000; n++) {
      const item = new Place(n);
      queue.push(item);
      blocks.add(item.block);
      item.leave();
    }
    expect(blocks.size).toBe(1);
  });

  test('an item leaves once, and may join again', () => {
    const { queue, items } = queueOf(2);
    expect([items[0]!.leave(), items[0]!.leave()]).toEqual([true, false]);
    queue.push(items[0]!);
    expect(drain(queue)).toEqual([1, 0]);
  });

  test('PQ2: an item that has left is not kept alive', () => {
    const { queue, items } = queueOf(1_000);
    const { block } = items[500]!;
    items[500]!.leave();
    expect(block!.places.includes(items[500])).toBe(false);
    expect(queue.size).toBe(999);
  });

  test('PQ2: a queue whose oldest item stays does not grow while others come and go', () => {
    const { queue } = queueOf(1);
    for (let round = 0; round < 20; round++) {
      const others = Array.from({ length: 300 }, (_, n) => new Place(n));
      for (const item of others) queue.push(item);
      for (const item of others) item.leave();
    }
    let places = 0;
    for (let { block } = queue.head!; block !== undefined; block = block.next!) places += block.places.length;
    expect(places).toBeLessThan(1_000);
  });

  test('onEmpty is called each time that the last item has left', () => {
    let times = 0;
    class Counted extends PlaceQueue<Item> {
      override onEmpty(): void {
        times++;
      }
    }
    const queue = new Counted();
    const orders = [(items: Item[]) => items, (items: Item[]) => items.reverse()];
    for (const [round, inOrder] of orders.entries()) {
      const items = Array.from({ length: 300 }, (_, n) => new Place(n));
      for (const item of items) queue.push(item);
      expect(times).toBe(round);
      for (const item of inOrder(items)) item.leave();
      expect(times).toBe(round + 1);
    }
  });
});
