import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { type GatherResult, gatherStream, Semaphore } from 'latchkey';
import { describe, expect, test, vi } from 'vitest';
import { drained, microtasks, watch } from '../support/lock-likes.js';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A worker whose ends the test decides. */
function controlled() {
  const ends: { value(): void; error(): void; signal: AbortSignal }[] = [];
  const worker = (item: number, { signal }: { signal: AbortSignal }) =>
    new Promise<number>((resolve, reject) => {
      ends[item] = { value: () => resolve(item), error: () => reject(item), signal };
    });
  return { ends, worker };
}

/** A source that counts how often it was asked, and whether it was closed. */
async function* counted(asked: { times: number; closed: boolean }, until = Infinity) {
  try {
    for (let i = 0; i < until; i++) {
      asked.times++;
      yield i;
    }
  } finally {
    asked.closed = true;
  }
}

async function collected<T, R>(stream: AsyncIterable<GatherResult<T, R>>) {
  const results: GatherResult<T, R>[] = [];
  for await (const result of stream) results.push(result);
  return results;
}

describe('gather stream: outcomes', () => {
  test('GS1, GS5: gives every item its outcome, failures included', async () => {
    const worker = (item: number) => {
      if (item === 1) throw 'one';
      return item * 2;
    };
    expect(await collected(gatherStream([0, 1, 2], worker))).toEqual([
      { status: 'fulfilled', index: 0, item: 0, value: 0 },
      { status: 'rejected', index: 1, item: 1, reason: 'one' },
      { status: 'fulfilled', index: 2, item: 2, value: 4 },
    ]);
    expect(await collected(gatherStream([], worker))).toEqual([]);
  });

  test("GS2: order 'input' gives outcomes in the order of the items, 'completion' as the workers end", async () => {
    const orderOf = async (order: 'input' | 'completion' | undefined) => {
      const { ends, worker } = controlled();
      const seen: number[] = [];
      const all = (async () => {
        for await (const { index } of gatherStream(range(3), worker, { order })) seen.push(index);
      })();
      await drained();
      for (const item of [2, 0, 1]) {
        ends[item]?.value();
        await drained();
      }
      await all;
      return seen;
    };
    expect(await orderOf('input')).toEqual([0, 1, 2]);
    expect(await orderOf(undefined)).toEqual([0, 1, 2]);
    expect(await orderOf('completion')).toEqual([2, 0, 1]);
  });

  test('an outcome is given while the others still run', async () => {
    const { ends, worker } = controlled();
    const stream = gatherStream(range(2), worker, { order: 'completion' });
    const first = watch(stream.next());
    await drained();
    ends[1]?.error();
    await drained();
    expect(first.value).toEqual({
      done: false,
      value: { status: 'rejected', index: 1, item: 1, reason: 1 },
    });
    ends[0]?.value();
    expect((await stream.next()).value).toMatchObject({ index: 0 });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test('next() asked many times at once gives the outcomes in order', async () => {
    const stream = gatherStream(range(3), (item) => item, { concurrency: 2 });
    const steps = await Promise.all([1, 2, 3, 4].map(() => stream.next()));
    expect(steps.map(({ done, value }) => [done, value?.index])).toEqual([
      [false, 0],
      [false, 1],
      [false, 2],
      [true, undefined],
    ]);
  });
});

describe('gather stream: back-pressure', () => {
  test('nothing starts before the first next()', async () => {
    const worker = vi.fn();
    const stream = gatherStream([1], worker);
    await drained();
    expect(worker).not.toHaveBeenCalled();
    await stream.next();
    expect(worker).toHaveBeenCalledOnce();
  });

  test.each(['input', 'completion'] as const)(
    "GS3: order '%s': items at work and outcomes not taken are at most `concurrency`",
    async (order) => {
      for (const source of [() => range(20), () => counted({ times: 0, closed: false }, 20)]) {
        let started = 0;
        let taken = 0;
        let most = 0;
        const worker = async (item: number) => {
          most = Math.max(most, ++started - taken);
          await microtasks(item % 5);
        };
        for await (const _ of gatherStream(source(), worker, { order, concurrency: 4 })) {
          taken++;
          await drained();
        }
        // The outcome that the consumer works on has been given, but is not counted here yet.
        expect(taken).toBe(20);
        expect(most).toBeGreaterThanOrEqual(4);
        expect(most).toBeLessThanOrEqual(5);
      }
    },
  );

  test('GS3: the default is sixteen, also with a limiter', async () => {
    for (const limiter of [undefined, new Semaphore(Infinity)]) {
      const worker = vi.fn();
      const stream = gatherStream(range(100), worker, { limiter });
      await stream.next();
      await drained();
      expect(worker).toHaveBeenCalledTimes(17);
    }
  });

  test('GS3: a consumer that stops asking stops the source; asking again starts it again', async () => {
    const asked = { times: 0, closed: false };
    const stream = gatherStream(counted(asked), (item) => item, { concurrency: 2 });
    await stream.next();
    await drained();
    expect(asked.times).toBe(3);
    await stream.next();
    await drained();
    expect(asked.times).toBe(4);
  });

  test('GS3: a slow first item holds back the order of input, and no more than `concurrency` items start', async () => {
    const { ends, worker } = controlled();
    const stream = gatherStream(range(9), worker, { concurrency: 3 });
    const first = watch(stream.next());
    await drained();
    ends[1]?.value();
    ends[2]?.value();
    await drained();
    expect([ends.length, first.state]).toEqual([3, 'pending']);
    ends[0]?.value();
    await drained();
    // The first outcome was taken, so one lane is free.
    expect([ends.length, first.state]).toEqual([4, 'fulfilled']);
  });

  test('a limiter runs the workers, and only one item waits for it', async () => {
    const limiter = new Semaphore(2);
    let most = 0;
    const worker = async () => {
      most = Math.max(most, limiter.held + limiter.waiting);
      await microtasks(3);
    };
    const results = await collected(gatherStream(range(20), worker, { limiter, order: 'completion' }));
    expect([results.length, most, limiter.held]).toEqual([20, 3, 0]);
  });
});

describe('gather stream: early ends', () => {
  test("GS4: break aborts the workers' signal, waits for them and closes the source", async () => {
    const { ends, worker } = controlled();
    const asked = { times: 0, closed: false };
    const stream = gatherStream(counted(asked), worker, { concurrency: 3 });
    const first = stream.next();
    await drained();
    ends[0]?.value();
    await first;
    const returned = watch(stream.return!());
    await drained();
    expect([ends[1]?.signal.aborted, returned.state, asked.closed]).toEqual([true, 'pending', false]);
    expect(ends[1]?.signal.reason).toMatchObject({ name: 'AbortError' });
    for (const end of ends) end.value();
    await drained();
    expect([returned.value, asked.closed]).toEqual([{ done: true, value: undefined }, true]);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test('GS4: a pending next() ends when the stream is left', async () => {
    const { ends, worker } = controlled();
    const stream = gatherStream(range(2), worker);
    const pending = watch(stream.next());
    await drained();
    const returned = watch(stream.return!());
    for (const end of ends) end.value();
    await drained();
    expect([pending.value, returned.value]).toEqual(Array(2).fill({ done: true, value: undefined }));
  });

  test('GS4: a stream that is left before the first next() closes its source and starts nothing', async () => {
    const worker = vi.fn();
    const left = vi.fn(() => ({ done: true, value: undefined }));
    const source = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }), return: left }) };
    const stream = gatherStream(source as Iterable<number>, worker);
    await stream.return!();
    expect([worker.mock.calls.length, left.mock.calls.length]).toEqual([0, 1]);
  });

  test('GS4: a loop that throws rejects with its own error, after the workers have ended', async () => {
    let running = 0;
    const worker = async () => {
      running++;
      await microtasks(9);
      running--;
    };
    const loop = async () => {
      for await (const _ of gatherStream(range(99), worker)) throw new Error('in the loop');
    };
    await expect(loop()).rejects.toThrow('in the loop');
    expect(running).toBe(0);
  });

  test('GS4: an error of the source while it is closed rejects the return', async () => {
    const next = () => Promise.resolve({ done: false, value: 1 });
    const iterator = { next, return: () => Promise.reject(new Error('while closing')) };
    const source: AsyncIterable<number> = { [Symbol.asyncIterator]: () => iterator };
    const stream = gatherStream(source, (item) => item, { concurrency: 1 });
    await stream.next();
    await drained();
    await expect(stream.return!()).rejects.toThrow('while closing');
  });

  test('GS5: an abort gives the outcomes of the started items, then rejects once with signal.reason', async () => {
    const controller = new AbortController();
    const { ends, worker } = controlled();
    const { signal } = controller;
    const stream = gatherStream(range(9), worker, { concurrency: 2, signal });
    const first = watch(stream.next());
    await drained();
    controller.abort('enough');
    await drained();
    expect([first.state, ends[0]?.signal.reason]).toEqual(['pending', 'enough']);
    for (const end of ends) end.value();
    await drained();
    expect(first.value).toMatchObject({ value: { index: 0 } });
    expect(await stream.next()).toMatchObject({ value: { index: 1 } });
    await expect(stream.next()).rejects.toBe('enough');
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect([ends.length, getEventListeners(signal, 'abort').length]).toEqual([2, 0]);
  });

  test('GS5: a signal that is aborted already rejects the first next(), and starts nothing', async () => {
    const worker = vi.fn();
    const stream = gatherStream([1], worker, { signal: AbortSignal.abort('no') });
    await expect(stream.next()).rejects.toBe('no');
    expect(worker).not.toHaveBeenCalled();
  });

  test('GS5: an error of the source comes after the outcomes before it', async () => {
    async function* source() {
      yield 1;
      throw new Error('the source broke');
    }
    const stream = gatherStream(source(), (item) => item);
    expect(await stream.next()).toMatchObject({ value: { value: 1 } });
    await expect(stream.next()).rejects.toThrow('the source broke');
  });

  test('GS5: an error that no next() asks for is no unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    function* source() {
      yield 1;
      throw new Error('the source broke');
    }
    await gatherStream(source(), (item) => item).next();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('stopWhen ends the stream with the rest skipped', async () => {
    const worker = (item: number) => item;
    const results = await collected(
      gatherStream(range(4), worker, { concurrency: 1, stopWhen: ({ succeeded }) => succeeded === 2 }),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'skipped', 'skipped']);
  });
});

describe('gather stream: bad arguments', () => {
  test.each([
    ['worker', () => gatherStream([], 5 as never)],
    ['items', () => gatherStream(5 as never, () => 1)],
    ['order', () => gatherStream([], () => 1, { order: 'none' as never })],
    ['concurrency', () => gatherStream([], () => 1, { concurrency: 0 })],
    ['did you mean order', () => gatherStream([], () => 1, { ordered: true } as never)],
  ])('a bad %s is refused at once, by name', (name, call) => {
    expect(call).toThrow(name);
  });
});

test('GS1 to GS5: for all sources, bounds and moments of the end, outcomes are complete and no worker runs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        ticks: fc.array(fc.nat(6), { maxLength: 20 }),
        kind: fc.constantFrom('array', 'iterator', 'async generator'),
        order: fc.constantFrom('input', 'completion'),
        concurrency: fc.integer({ min: 1, max: 4 }),
        limit: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
        leaveAfter: fc.option(fc.nat(10), { nil: undefined }),
        abortAfter: fc.option(fc.nat(40), { nil: undefined }),
        pauseTicks: fc.nat(3),
      }),
      async ({ ticks, kind, order, concurrency, limit, leaveAfter, abortAfter, pauseTicks }) => {
        const controller = new AbortController();
        const { signal } = controller;
        const limiter = limit === undefined ? undefined : new Semaphore(limit);
        let running = 0;
        let started = 0;
        let taken = 0;
        let most = 0;
        const worker = async (tick: number, { index }: { index: number }) => {
          running++;
          most = Math.max(most, ++started - taken);
          await microtasks(tick);
          running--;
          if (tick === 3) throw index;
          return index;
        };
        const source = {
          array: () => ticks,
          iterator: () => ticks.values(),
          'async generator': async function* () {
            yield* ticks;
          },
        }[kind]();
        if (abortAfter !== undefined) void microtasks(abortAfter).then(() => controller.abort('enough'));
        const seen: number[] = [];
        let error: unknown;
        try {
          const stream = gatherStream(source, worker, {
            order: order as 'input' | 'completion',
            concurrency,
            limiter,
            signal,
          });
          for await (const result of stream) {
            taken++;
            seen.push(result.index);
            if (result.status !== 'skipped')
              expect(result.status).toBe(ticks[result.index] === 3 ? 'rejected' : 'fulfilled');
            await microtasks(pauseTicks);
            if (seen.length === leaveAfter) break;
          }
        } catch (reason) {
          error = reason;
        }
        expect([running, error]).toEqual([0, error === undefined ? undefined : 'enough']);
        expect(most).toBeLessThanOrEqual(concurrency + 1);
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
        if (limiter !== undefined) expect([limiter.held, limiter.waiting]).toEqual([0, 0]);
        expect(new Set(seen).size).toBe(seen.length);
        if (order === 'input') expect(seen).toEqual(range(seen.length));
        const wasCut = error !== undefined || (leaveAfter !== undefined && seen.length === leaveAfter);
        if (!wasCut) expect(seen.length).toBe(ticks.length);
      },
    ),
    { numRuns: 300 },
  );
});
