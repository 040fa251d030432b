/** The orders themselves, with waiters that only count: CD1 to CD4 and FS1 to FS4. */
import fc from 'fast-check';
import { type ControlledDelayOptions, controlledDelay, fairShare, type WaitOrder } from 'latchkey/overload';
import { describe, expect, test } from 'vitest';
import type { LineOrder } from '../../src/overload/line-order.js';
import type { OrderedWaiter, WaitLine } from '../../src/overload/wait-line.js';

/** A line with a clock, and how its waiters ended. */
class World {
  readonly line: WaitLine;
  nowMs = 0;
  readonly waiting = new Set<OrderedWaiter & { name: string }>();
  readonly refused: { name: string; retryAfterMs: number }[] = [];

  constructor(order: WaitOrder) {
    this.line = (order as LineOrder).line();
  }

  add(name: string, { partition = undefined as unknown, weight = 1 } = {}) {
    const waiter = {
      name,
      partition,
      weight,
      sinceMs: this.nowMs,
      sendAway: (retryAfterMs: number) => {
        this.refused.push({ name, retryAfterMs });
        this.leave(waiter);
      },
    };
    this.waiting.add(waiter);
    this.line.add(waiter, this.nowMs);
    return waiter;
  }

  leave(waiter: OrderedWaiter & { name: string }, isGranted = false): void {
    this.waiting.delete(waiter);
    this.line.remove(waiter, isGranted);
  }

  /** Grants the next waiter. @returns its name. */
  serve(): string | undefined {
    const waiter = this.line.next(this.nowMs) as (OrderedWaiter & { name: string }) | undefined;
    if (waiter !== undefined) this.leave(waiter, true);
    return waiter?.name;
  }
}

describe('controlledDelay', () => {
  test('CD1: until the queue has been non-empty for the interval, the oldest is served and none is refused', () => {
    const world = new World(controlledDelay({ targetMs: 5, intervalMs: 100 }));
    world.add('a');
    world.nowMs = 60;
    world.add('b');
    world.nowMs = 100;
    expect(world.serve()).toBe('a');
    expect(world.refused).toEqual([]);
  });

  test('CD1: an empty queue ends the overload', () => {
    const world = new World(controlledDelay({ targetMs: 5, intervalMs: 100 }));
    world.add('a');
    world.nowMs = 200;
    expect(world.serve()).toBe('a');
    world.add('b');
    world.nowMs = 300;
    world.add('c');
    expect([world.serve(), world.serve()]).toEqual(['b', 'c']);
    expect(world.refused).toEqual([]);
  });

  test('CD2: after the interval, an arrival causes every waiter past the target to be refused', () => {
    const world = new World(controlledDelay({ targetMs: 5, intervalMs: 100 }));
    world.add('a');
    world.nowMs = 98;
    world.add('b');
    world.nowMs = 102;
    world.add('c');
    expect(world.refused).toEqual([{ name: 'a', retryAfterMs: 102 }]);
    expect([world.serve(), world.serve(), world.serve()]).toEqual(['c', 'b', undefined]);
  });

  test('CD2: so does a release; without newestFirst the oldest is served first', () => {
    const world = new World(controlledDelay({ targetMs: 5, intervalMs: 100, newestFirst: false }));
    world.add('a');
    world.nowMs = 98;
    world.add('b');
    world.add('c');
    world.nowMs = 101;
    expect([world.serve(), world.serve(), world.serve()]).toEqual(['b', 'c', undefined]);
    expect(world.refused.map(({ name }) => name)).toEqual(['a']);
  });

  test('CD2: retryAfterMs grows with the overload, up to 30 s', () => {
    const world = new World(controlledDelay({ intervalMs: 100 }));
    world.add('a');
    for (const nowMs of [5_000, 60_000]) {
      world.nowMs = nowMs;
      world.add(`at ${nowMs}`);
    }
    expect(world.refused.map(({ retryAfterMs }) => retryAfterMs)).toEqual([5_000, 30_000]);
  });

  test('CD3: the newest waiter is never refused, even long past the target', () => {
    const world = new World(controlledDelay());
    world.add('a');
    world.nowMs = 10_000;
    expect(world.serve()).toBe('a');
  });

  describe('CD4', () => {
    /** An overloaded queue of 100 waiters that were not refused, of which the oldest is '0' and the newest '99'. */
    const afterBurst = (options?: ControlledDelayOptions) => {
      const world = new World(controlledDelay({ targetMs: 450, intervalMs: 100, ...options }));
      for (let i = 0; i < 100; i++) world.add(String(i));
      world.nowMs = 101;
      return world;
    };
    const serve = (world: World, count: number) => Array.from({ length: count }, () => world.serve());

    test('when 30 more units were granted than asked for, the oldest waiter is served first', () => {
      const world = afterBurst();
      expect(serve(world, 31).slice(-2)).toEqual(['70', '0']);
    });

    test('as soon as as many were asked for, the newest is served first again', () => {
      const world = afterBurst();
      serve(world, 30);
      for (let i = 0; i < 29; i++) world.add('new');
      expect(world.serve()).toBe('0');
      world.add('new');
      world.add('newest');
      expect(world.serve()).toBe('newest');
    });

    test('what was served long before does not count: a lead of at most 30 units is remembered', () => {
      const world = afterBurst();
      serve(world, 60);
      for (let i = 0; i < 29; i++) world.add('new');
      expect(world.serve()).toBe('30');
      for (let i = 0; i < 2; i++) world.add('newest');
      expect(world.serve()).toBe('newest');
    });

    test('units count, not waiters', () => {
      const world = afterBurst();
      world.add('heavy', { weight: 30 });
      expect(serve(world, 2)).toEqual(['heavy', '0']);
      world.add('heavy', { weight: 30 });
      expect(world.serve()).toBe('heavy');
    });

    test('waiters that leave or are refused were not served', () => {
      const world = afterBurst();
      for (const waiter of [...world.waiting].slice(0, 60)) world.leave(waiter);
      expect(serve(world, 30).slice(-1)).toEqual(['70']);
    });

    test('a new overload begins with the newest', () => {
      const world = afterBurst();
      serve(world, 100);
      world.add('a');
      world.add('b');
      world.nowMs = 300;
      expect(serve(world, 2)).toEqual(['b', 'a']);
    });

    test('an overload that goes on serves the newest first, whatever chance brings', () => {
      const world = afterBurst();
      for (let i = 0; i < 1_000; i++) {
        for (let arrived = 0; arrived < 29; arrived++) world.add(`${i}`);
        expect(serve(world, 29).at(0)).toBe(`${i}`);
      }
    });
  });
});

describe('fairShare', () => {
  const grants = (world: World, count: number) => {
    const by: Record<string, number> = {};
    for (let i = 0; i < count; i++) {
      const name = world.serve() ?? 'nobody';
      by[name] = (by[name] ?? 0) + 1;
    }
    return by;
  };

  test('FS1: partitions with waiters are served in proportion to their shares', () => {
    const shares: Record<string, number> = { a: 1, b: 2, c: 0.5 };
    const world = new World(fairShare({ share: (partition) => shares[String(partition)] ?? 1 }));
    for (let i = 0; i < 1_000; i++) {
      for (const partition of ['a', 'b', 'c']) world.add(partition, { partition });
    }
    expect(grants(world, 700)).toEqual({ a: 200, b: 400, c: 100 });
  });

  test('FS1: a partition of heavy waiters gets as many units as one of light waiters', () => {
    const world = new World(fairShare());
    for (let i = 0; i < 400; i++) {
      world.add('light', { partition: 1, weight: 1 });
      if (i < 100) world.add('heavy', { partition: 2, weight: 4 });
    }
    expect(grants(world, 250)).toEqual({ light: 200, heavy: 50 });
  });

  test('FS2: the only partition with waiters gets all units, in the order of arrival', () => {
    const world = new World(fairShare({ share: () => 0.001 }));
    for (const name of ['a', 'b', 'c']) world.add(name);
    expect([world.serve(), world.serve(), world.serve(), world.serve()]).toEqual(['a', 'b', 'c', undefined]);
  });

  test('FS3: a thousand tenants, one of which floods: each is served once a round', () => {
    const world = new World(fairShare());
    for (let i = 0; i < 10_000; i++) world.add('flood', { partition: 0 });
    for (let tenant = 1; tenant < 1_000; tenant++) world.add(`tenant ${tenant}`, { partition: tenant });
    const served = new Set(Array.from({ length: 1_000 }, () => world.serve()));
    expect(served.size).toBe(1_000);
  });

  test('FS4: a partition whose waiters have left is forgotten; its share is asked for again', () => {
    const asked: unknown[] = [];
    const order = fairShare({ share: (partition) => asked.push(partition) });
    const world = new World(order);
    world.leave(world.add('a', { partition: 'a' }));
    world.leave(world.add('a', { partition: 'a' }));
    expect(asked).toEqual(['a', 'a']);
    expect(world.serve()).toBeUndefined();
  });

  test('within: each partition has a controlled delay of its own', () => {
    const world = new World(fairShare({ within: controlledDelay({ targetMs: 5, intervalMs: 100 }) }));
    world.add('batch 1', { partition: 'batch' });
    world.nowMs = 150;
    world.add('user', { partition: 'user' });
    world.add('batch 2', { partition: 'batch' });
    expect(world.refused.map(({ name }) => name)).toEqual(['batch 1']);
    expect([world.serve(), world.serve()].sort()).toEqual(['batch 2', 'user']);
  });
});

describe('every order', () => {
  const orders: [string, () => WaitOrder][] = [
    ['controlledDelay', () => controlledDelay({ targetMs: 3, intervalMs: 10 })],
    [
      'controlledDelay, oldest first',
      () => controlledDelay({ targetMs: 3, intervalMs: 10, newestFirst: false }),
    ],
    ['fairShare', () => fairShare({ share: (partition) => Number(partition) + 1 })],
    [
      'fairShare of controlledDelay',
      () => fairShare({ within: controlledDelay({ targetMs: 3, intervalMs: 10 }) }),
    ],
  ];
  const steps = fc.array(
    fc.record({
      does: fc.constantFrom('add', 'add', 'serve', 'leave', 'time'),
      number: fc.nat(9),
      weight: fc.integer({ min: 1, max: 5 }),
    }),
    { maxLength: 80 },
  );

  test.each(orders)(
    '%s: while a caller waits, one of the waiters is next; each leaves once',
    (_name, order) => {
      fc.assert(
        fc.property(steps, (list) => {
          const world = new World(order());
          let added = 0;
          let served = 0;
          let left = 0;
          for (const { does, number, weight } of list) {
            if (does === 'time') world.nowMs += number;
            else if (does === 'add') world.add(`${added++}`, { partition: number % 3, weight });
            else if (does === 'serve') served += world.serve() === undefined ? 0 : 1;
            else {
              const waiter = [...world.waiting][number];
              if (waiter !== undefined) world.leave(waiter);
              if (waiter !== undefined) left++;
            }
            const next = world.line.next(world.nowMs);
            expect(next === undefined).toBe(world.waiting.size === 0);
            if (next !== undefined) expect([...world.waiting]).toContain(next);
            expect(served + left + world.refused.length + world.waiting.size).toBe(added);
          }
        }),
        { numRuns: 300 },
      );
    },
  );
});
