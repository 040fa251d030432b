import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { ClosedError, QueueFullError, WaitTimeoutError } from 'latchkey';
import { BoundedQueue, type OverflowPolicy, type OverflowReport } from 'latchkey/bounded-queue';
import type { OverflowMessage } from 'latchkey/diagnostics';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { collected } from '../support/collected.js';
import { drained, microtasks, watch } from '../support/lock-likes.js';

const filled = async (policy: OverflowPolicy, options: object = {}) => {
  const dropped: number[] = [];
  const queue = new BoundedQueue<number>({
    capacity: 3,
    policy,
    onDrop: (item) => void dropped.push(item),
    ...options,
  });
  for (const item of [1, 2, 3]) expect(await queue.offer(item)).toBe(true);
  return { queue, dropped };
};
const left = async (queue: BoundedQueue<number>) => (await queue.take(100)).items;

describe('bounded queue: when it is full', () => {
  test('Q2: wait: producers queue, and get in as room becomes free', async () => {
    const { queue } = await filled('wait');
    const waiting = [4, 5].map((item) => watch(queue.offer(item)));
    await drained();
    expect([queue.waiting, queue.size]).toEqual([2, 3]);
    const batch = await queue.take(1);
    await drained();
    expect(waiting.map(({ state }) => state)).toEqual(['pending', 'pending']);
    batch.done();
    await drained();
    expect(waiting.map(({ state }) => state)).toEqual(['fulfilled', 'pending']);
    expect(await left(queue)).toEqual([2, 3, 4]);
  });

  test('Q2: wait: the item of a producer that gives up is not in, and the next one moves up', async () => {
    const { queue } = await filled('wait');
    const controller = new AbortController();
    const [leaver, next] = [watch(queue.offer(4, { signal: controller.signal })), watch(queue.offer(5))];
    controller.abort('enough');
    (await queue.take(1)).done();
    await drained();
    expect([leaver.reason, next.value]).toEqual(['enough', true]);
    expect(await left(queue)).toEqual([2, 3, 5]);
  });

  test('Q2: wait: a newcomer does not overtake, at any microtask around the moment room becomes free', async () => {
    for (let offset = 0; offset < 6; offset++) {
      const { queue } = await filled('wait');
      void queue.offer(4);
      const batch = await queue.take(2);
      const newcomer = microtasks(offset).then(() => queue.offer(5));
      await microtasks(2);
      batch.done();
      await newcomer;
      expect(await left(queue)).toEqual([3, 4, 5]);
    }
  });

  test('Q3: reject: the error says how full the queue is', async () => {
    const { queue, dropped } = await filled('reject');
    const refused = queue.offer(4);
    await expect(refused).rejects.toBeInstanceOf(QueueFullError);
    await expect(refused).rejects.toMatchObject({ held: 3, limit: 3 });
    expect([await left(queue), dropped]).toEqual([[1, 2, 3], []]);
  });

  test('Q3: drop-oldest: the oldest item makes room, and goes to onDrop', async () => {
    const { queue, dropped } = await filled('drop-oldest');
    expect(await queue.offer(4)).toBe(true);
    expect([await left(queue), dropped]).toEqual([[2, 3, 4], [1]]);
  });

  test('Q3: drop-oldest: when every item is in flight, the new one is dropped', async () => {
    const { queue, dropped } = await filled('drop-oldest');
    await queue.take(3);
    expect(await queue.offer(4)).toBe(false);
    expect(dropped).toEqual([4]);
  });

  test('Q3: drop-newest: the new item is dropped', async () => {
    const { queue, dropped } = await filled('drop-newest');
    expect(await queue.offer(4)).toBe(false);
    expect([await left(queue), dropped]).toEqual([[1, 2, 3], [4]]);
  });

  test('sample: all below 90 %, a falling share up to 95 %, one in twenty above, none when full; critical ones get in', async () => {
    const chances: number[] = [];
    let luck = 0;
    const queue = new BoundedQueue<number>({ capacity: 1_000, policy: 'sample', random: () => luck });
    const chanceAt = async (fill: number) => {
      luck = 0;
      while (queue.size < fill) await queue.offer(0);
      let low = 0;
      let high = 1;
      for (let i = 0; i < 12; i++) {
        luck = (low + high) / 2;
        const isIn = await queue.offer(0);
        if (isIn) {
          low = luck;
          (await queue.take(1)).done();
        } else high = luck;
      }
      chances.push(low);
    };
    for (const fill of [100, 899, 925, 950, 999]) await chanceAt(fill);
    for (const [i, chance] of [1, 1, 0.525, 0.05, 0.05].entries()) expect(chances[i]).toBeCloseTo(chance, 2);
    luck = 0.99;
    expect(await queue.offer(0)).toBe(false);
    expect(await queue.offer(0, { critical: true })).toBe(true);
    expect(await queue.offer(0, { critical: true })).toBe(false);
  });

  test('sample: below 90 % no random number is drawn', async () => {
    const random = vi.fn(() => 0.5);
    const queue = new BoundedQueue<number>({ capacity: 10, policy: 'sample', random });
    for (let i = 0; i < 9; i++) await queue.offer(i);
    expect(random).not.toHaveBeenCalled();
    await queue.offer(9);
    expect(random).toHaveBeenCalledOnce();
  });

  test('sample: the random number must be less than the share that is let in', async () => {
    const queue = new BoundedQueue<number>({ capacity: 40, policy: 'sample', random: () => 0.05 });
    for (let i = 0; i < 39; i++) await queue.offer(i, { critical: true });
    expect(await queue.offer(39)).toBe(false);
  });

  test('only sample thins out: the other policies take every item that has room', async () => {
    for (const policy of ['wait', 'reject', 'drop-oldest', 'drop-newest'] as const) {
      const queue = new BoundedQueue<number>({ capacity: 40, policy, random: () => 0.99 });
      const taken = await Promise.all(Array.from({ length: 40 }, (_, i) => queue.offer(i)));
      expect([policy, taken.every(Boolean), queue.size]).toEqual([policy, true, 40]);
    }
  });

  test('an error of a listener does not reach the producer', async () => {
    const boom = () => {
      throw new Error('boom');
    };
    const queue = new BoundedQueue({ capacity: 1, policy: 'drop-newest', onDrop: boom, onOverflow: boom });
    await queue.offer(1);
    expect(await queue.offer(2)).toBe(false);
  });
});

describe('bounded queue: listeners that call back', () => {
  test('wait: a listener that closes the queue refuses the producer that made it overflow', async () => {
    const queue: BoundedQueue<string> = new BoundedQueue({ capacity: 1, onOverflow: () => queue.close() });
    await queue.offer('a');
    const overflowing = watch(queue.offer('b'));
    await drained();
    expect(overflowing).toMatchObject({ state: 'rejected', reason: { code: 'ERR_CLOSED' } });
    expect(queue.waiting).toBe(0);
  });

  test('Q1: drop-oldest: a listener that offers again does not exceed the capacity', async () => {
    let again = ['again'];
    const queue: BoundedQueue<string> = new BoundedQueue({
      capacity: 2,
      policy: 'drop-oldest',
      onDrop: () => {
        const [item, ...rest] = again;
        again = rest;
        if (item !== undefined) void queue.offer(item);
      },
    });
    for (const item of ['a', 'b', 'c']) await queue.offer(item);
    expect(queue.size).toBe(2);
    expect((await queue.take(3)).items).toEqual(['c', 'again']);
  });
});

describe('bounded queue: taking', () => {
  test('Q1: a taken item counts until it is done, and only once', async () => {
    const { queue } = await filled('drop-newest');
    const batch = await queue.take(2);
    expect([batch.items, queue.size, queue.inFlight]).toEqual([[1, 2], 1, 2]);
    expect(await queue.offer(4)).toBe(false);
    batch.done();
    batch.done();
    expect(queue.inFlight).toBe(0);
    expect(await queue.offer(5)).toBe(true);
  });

  test('a waiting consumer gets the item in the turn in which it is offered; a newcomer does not', async () => {
    const queue = new BoundedQueue<number>({ capacity: 3 });
    const waiting = watch(queue.take(10));
    void queue.offer(1);
    const newcomer = watch(queue.take(10));
    await drained();
    expect([waiting.value?.items, newcomer.state]).toEqual([[1], 'pending']);
    queue.close();
    await drained();
    expect(newcomer.value?.items).toEqual([]);
  });

  test('for await takes one at a time, each done before the next; a break ends the current one', async () => {
    const { queue } = await filled('wait');
    for await (const item of queue) {
      expect(queue.inFlight).toBe(1);
      if (item === 2) break;
    }
    expect([queue.inFlight, queue.size]).toEqual([0, 1]);
    queue.close();
    const rest: number[] = [];
    for await (const item of queue) rest.push(item);
    expect(rest).toEqual([3]);
  });

  test('Q6: an iterator that returns while it waits leaves the queue at once, and the item goes to another consumer', async () => {
    const queue = new BoundedQueue<string>({ capacity: 3 });
    const iterator = queue[Symbol.asyncIterator]();
    const waiting = [watch(iterator.next()), watch(iterator.next())];
    const returned = watch(iterator.return!());
    await drained();
    expect(returned.value).toEqual({ done: true, value: undefined });
    expect(waiting.map(({ value }) => value)).toEqual(Array(2).fill({ done: true, value: undefined }));
    expect(await queue.offer('item')).toBe(true);
    expect((await queue.take()).items).toEqual(['item']);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect([queue.size, queue.inFlight]).toEqual([0, 1]);
  });

  test('Q6: an item that was handed over before the return is not lost, and is done afterwards', async () => {
    const queue = new BoundedQueue<string>({ capacity: 3 });
    const iterator = queue[Symbol.asyncIterator]();
    const next = iterator.next();
    void queue.offer('item');
    expect(queue.inFlight).toBe(1);
    void iterator.return!();
    expect(await next).toEqual({ done: false, value: 'item' });
    expect([queue.size, queue.inFlight]).toEqual([0, 0]);
  });

  test('Q6: promises come out as they were offered', async () => {
    const refused = Promise.reject(new Error('boom'));
    refused.catch(() => {});
    const items = [Promise.resolve(1), refused];
    const queue = new BoundedQueue<Promise<number>>({ capacity: 3 });
    for (const item of items) await queue.offer(item);
    queue.close();
    const seen: Promise<number>[] = [];
    for await (const item of queue) seen.push(item as never);
    expect(seen).toHaveLength(2);
    const iterator = queue[Symbol.asyncIterator]();
    expect(iterator[Symbol.asyncIterator]()).toBe(iterator);
    expect(seen.map((item, i) => (item as unknown) === items[i])).toEqual([true, true]);
  });

  test('Q6: next() asked twice at once gives two items in order, and both count until the next call', async () => {
    const queue = new BoundedQueue<string>({ capacity: 3 });
    const iterator = queue[Symbol.asyncIterator]();
    const both = [iterator.next(), iterator.next()];
    for (const item of ['a', 'b']) await queue.offer(item);
    expect((await Promise.all(both)).map(({ value }) => value)).toEqual(['a', 'b']);
    expect(queue.inFlight).toBe(2);
    const last = iterator.next();
    expect(queue.inFlight).toBe(0);
    queue.close();
    expect((await last).done).toBe(true);
    expect((await iterator.next()).done).toBe(true);
  });

  test.each([
    ['waited for', true],
    ['found inside', false],
  ])('an iterator keeps no item alive that it has %s and given away', async (_what, waits) => {
    const queue = new BoundedQueue<object>({ capacity: 3 });
    const iterator = queue[Symbol.asyncIterator]();
    const given = async () => {
      const reference = new WeakRef({});
      const next = waits ? iterator.next() : undefined;
      await queue.offer(reference.deref()!);
      await (next ?? iterator.next());
      return reference;
    };
    const reference = await given();
    const last = iterator.next();
    await vi.waitFor(async () => {
      await collected();
      expect(reference.deref() === undefined).toBe(true);
    });
    queue.close();
    expect((await last).done).toBe(true);
  });

  test('a loop that throws leaves the queue, and its current item is done', async () => {
    const { queue } = await filled('wait');
    const loop = async () => {
      for await (const item of queue) if (item === 2) throw new Error('in the loop');
    };
    await expect(loop()).rejects.toThrow('in the loop');
    expect([queue.inFlight, queue.size]).toEqual([0, 1]);
  });

  test('take takes the items inside, up to max, and leaves the rest in order', async () => {
    const { queue } = await filled('wait');
    using batch = await queue.take(2);
    expect([batch.items, queue.size]).toEqual([[1, 2], 1]);
    expect((await queue.take(5)).items).toEqual([3]);
    expect(queue.inFlight).toBe(3);
  });

  test('Q5: close of many waiting producers is cheap: their errors have no stack', async () => {
    const { queue } = await filled('wait');
    const waiting = watch(queue.offer(4));
    queue.close();
    await drained();
    expect((waiting.reason as Error).stack).toBe('ClosedError: the queue is closed');
  });

  test('Q5: close lets no item in and refuses waiting producers; the items inside can be taken', async () => {
    const { queue } = await filled('wait');
    const waiting = watch(queue.offer(4));
    queue.close();
    queue.close();
    await expect(queue.offer(5)).rejects.toBeInstanceOf(ClosedError);
    await drained();
    expect(waiting.reason).toBeInstanceOf(ClosedError);
    expect(await left(queue)).toEqual([1, 2, 3]);
    expect(await left(queue)).toEqual([]);
  });
});

describe('bounded queue: errors', () => {
  test('the error of a consumer that waited too long has the counts', async () => {
    const queue = new BoundedQueue<number>({ capacity: 3 });
    await queue.offer(1);
    const batch = await queue.take();
    const late = queue.take(1, { waitTimeoutMs: 0 });
    await expect(late).rejects.toMatchObject({ code: 'ERR_WAIT_TIMEOUT', held: 1, waiting: 0, limit: 3 });
    batch.done();
  });

  test('a closed queue refuses waiting and new producers with ERR_CLOSED', async () => {
    const queue = new BoundedQueue<number>({ capacity: 1 });
    await queue.offer(1);
    const waiting = queue.offer(2);
    queue.close();
    queue.close();
    for (const offer of [waiting, queue.offer(3)]) {
      await expect(offer).rejects.toMatchObject({ code: 'ERR_CLOSED', message: 'the queue is closed' });
    }
  });

  test('the error of a wrong policy lists the policies', () => {
    expect(() => new BoundedQueue({ capacity: 1, policy: 'drop' as never })).toThrow(
      'policy must be one of wait, reject, drop-oldest, drop-newest, sample, got "drop"',
    );
  });
});

describe('bounded queue: the alert', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('Q4: the first overflow is reported at once, then one report per interval with the count; the last burst is reported', async () => {
    const reports: OverflowReport[] = [];
    const { queue } = await filled('drop-newest', {
      onOverflow: (report: OverflowReport) => void reports.push(report),
      overflowIntervalMs: 1_000,
    });
    const burst = async (n: number) => {
      for (let i = 0; i < n; i++) await queue.offer(0);
    };
    await burst(5);
    expect(reports).toEqual([{ count: 1, fill: 3 }]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reports).toEqual([
      { count: 1, fill: 3 },
      { count: 4, fill: 3 },
    ]);
    await burst(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(reports.map(({ count }) => count)).toEqual([1, 4, 2]);
    expect(vi.getTimerCount()).toBe(0);
    await burst(3);
    queue.close();
    expect(reports.map(({ count }) => count)).toEqual([1, 4, 2, 1, 2]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an overflow is published with the queue as its source, and can be serialized', async () => {
    const messages: OverflowMessage[] = [];
    const record = (message: unknown) => void messages.push(message as OverflowMessage);
    subscribe('latchkey:queue:overflow', record);
    const { queue } = await filled('drop-newest');
    await queue.offer(4);
    queue.close();
    unsubscribe('latchkey:queue:overflow', record);
    expect(messages.map(({ source, count, fill }) => [source === queue, count, fill])).toEqual([
      [true, 1, 3],
    ]);
    expect(JSON.stringify(messages[0])).toBe('{"source":{},"count":1,"fill":3}');
  });

  test('the error of a producer that waited too long says how full the queue was', async () => {
    const { queue } = await filled('wait');
    const late = watch(queue.offer(4, { waitTimeoutMs: 50 }));
    await vi.advanceTimersByTimeAsync(50);
    expect(late.reason).toBeInstanceOf(WaitTimeoutError);
    expect(late.reason).toMatchObject({ waitedMs: 50, held: 3, limit: 3 });
  });
});

describe('bounded queue: bad arguments', () => {
  test.each([
    [{}, 'capacity'],
    [{ capacity: 0 }, 'capacity'],
    [{ capacity: 1.5 }, 'capacity'],
    [{ capacity: 1, policy: 'panic' }, 'policy'],
    [{ capacity: 1, onDrop: 5 }, 'onDrop'],
    [{ capacity: 1, onOverflow: 'log' }, 'onOverflow'],
    [{ capacity: 1, overflowIntervalMs: -1 }, 'overflowIntervalMs'],
    [{ capacity: 1, random: 0.5 }, 'random'],
    [null, 'options'],
  ])('%o is refused: %s', (options, name) => {
    expect(() => new BoundedQueue(options as never)).toThrow(name);
  });

  test('an unknown option is refused by name', () => {
    expect(() => new BoundedQueue({ capacity: 1, maxSize: 5 } as never)).toThrow('unknown option "maxSize"');
  });

  test('offer and take reject bad arguments', async () => {
    const queue = new BoundedQueue({ capacity: 1 });
    await expect(queue.take(0)).rejects.toThrow('max');
    await expect(queue.offer(1, { signal: {} as never })).rejects.toThrow('signal');
    await expect(queue.offer(1, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect(queue.size).toBe(0);
  });
});

test('model: in any order of offers, takes, ends and aborts, no item disappears and none overtakes another', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('offer' as const) }),
    fc.record({ kind: fc.constant('take' as const), max: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('done' as const), which: fc.nat(9) }),
    fc.record({ kind: fc.constant('leave' as const), which: fc.nat(9) }),
  );
  const policies = fc.constantFrom<OverflowPolicy>('wait', 'reject', 'drop-oldest', 'drop-newest');
  await fc.assert(
    fc.asyncProperty(policies, fc.array(step, { maxLength: 40 }), async (policy, steps) => {
      const dropped: number[] = [];
      const queue = new BoundedQueue<number>({
        capacity: 3,
        policy,
        onDrop: (item) => void dropped.push(item),
      });
      const taken: number[] = [];
      const batches: { done(): void }[] = [];
      const offers: { controller: AbortController; outcome: ReturnType<typeof watch> }[] = [];
      for (const s of steps) {
        if (s.kind === 'offer') {
          const controller = new AbortController();
          const { signal } = controller;
          offers.push({ controller, outcome: watch(queue.offer(offers.length, { signal })) });
        } else if (s.kind === 'take') {
          void queue.take(s.max).then((batch) => {
            taken.push(...batch.items);
            batches.push(batch);
          });
        } else if (s.kind === 'done') batches[s.which]?.done();
        else offers[s.which]?.controller.abort();
        await drained();
        expect(queue.size + queue.inFlight).toBeLessThanOrEqual(3);
        expect(taken).toEqual([...taken].sort((a, b) => a - b));
      }
      queue.close();
      await drained();
      taken.push(...(await queue.take(100)).items);
      const refused = offers.flatMap(({ outcome }, item) => (outcome.state === 'rejected' ? [item] : []));
      expect([...taken, ...dropped, ...refused].sort((a, b) => a - b)).toEqual([...offers.keys()]);
    }),
    { numRuns: 200 },
  );
});
