import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { type GatherProgress, gatherSettled, Semaphore } from 'latchkey';
import { describe, expect, test, vi } from 'vitest';
import { drained, microtasks, watch } from '../support/lock-likes.js';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A source that counts how often it was asked, and records whether it was closed. */
function* counted(asked: { times: number; closed: boolean }, until = Infinity) {
  try {
    for (let i = 0; i < until; i++) {
      asked.times++;
      yield i;
    }
  } finally {
    asked.closed = true;
  }
}

describe('gather', () => {
  test('G2: reports how every item ended, in input order', async () => {
    const error = new Error('two');
    const gathered = await gatherSettled([3, 2, 1], async (item, { index }) => {
      await microtasks(item);
      if (item === 2) throw error;
      return `${index}:${item}`;
    });
    expect(gathered).toMatchObject({ total: 3, succeeded: 2, failed: 1, skipped: 0, failureRate: 1 / 3 });
    expect(gathered.results).toEqual([
      { status: 'fulfilled', index: 0, item: 3, value: '0:3' },
      { status: 'rejected', index: 1, item: 2, reason: error },
      { status: 'fulfilled', index: 2, item: 1, value: '2:1' },
    ]);
    expect([gathered.values, gathered.errors]).toEqual([['0:3', '2:1'], [{ index: 1, item: 2, error }]]);
  });

  test.each([
    ['array', (items: Promise<number>[]) => items],
    ['set', (items: Promise<number>[]) => new Set(items)],
    ['iterator', (items: Promise<number>[]) => items.values()],
  ])(
    'G5: promises in an %s that reject before their turn are no unhandled rejections',
    async (kind, source) => {
      const unhandled = vi.fn();
      process.on('unhandledRejection', unhandled);
      const holder = new Semaphore(1);
      const permit = holder.tryAcquire();
      const items =
        kind === 'iterator'
          ? [Promise.reject(1)]
          : [Promise.resolve(0), Promise.reject(1), Promise.reject(2)];
      const gathering = gatherSettled(source(items), (item) => item, { limiter: holder });
      await new Promise((resolve) => setImmediate(resolve));
      permit?.release();
      const { failed } = await gathering;
      process.off('unhandledRejection', unhandled);
      expect([failed, unhandled.mock.calls.length]).toEqual([kind === 'iterator' ? 1 : 2, 0]);
    },
  );

  test('G5: so are promises of another realm, and things that only look like one are left alone', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const foreign: Promise<never> = runInNewContext('Promise.reject(1)');
    const then = vi.fn();
    const hostile = new Proxy({}, { get: () => assert.fail('read') });
    const holder = new Semaphore(1);
    const permit = holder.tryAcquire();
    const gathering = gatherSettled([0, foreign, { then }, hostile], (item) => item === foreign && foreign, {
      limiter: holder,
    });
    await new Promise((resolve) => setImmediate(resolve));
    permit?.release();
    const { failed } = await gathering;
    process.off('unhandledRejection', unhandled);
    expect([failed, unhandled.mock.calls.length, then.mock.calls.length]).toEqual([1, 0, 0]);
  });

  test('G5: the then of a lazy promise is not called', async () => {
    const then = vi.fn();
    const lazy = Object.assign(Promise.resolve(1), { then });
    await gatherSettled([lazy], () => 'not awaited');
    expect(then).not.toHaveBeenCalled();
  });

  test('a source that aborts the signal while it is opened ends the run, and is closed', async () => {
    const controller = new AbortController();
    const worker = vi.fn();
    const left = vi.fn(() => ({ done: true, value: undefined }));
    const source = {
      [Symbol.iterator]() {
        controller.abort('enough');
        return { next: () => ({ done: false, value: 1 }), return: left };
      },
    };
    await expect(gatherSettled(source, worker, { signal: controller.signal })).rejects.toBe('enough');
    expect([worker.mock.calls.length, left.mock.calls.length]).toEqual([0, 1]);
  });

  test('a signal that refuses listeners ends the run with its error, and the source is closed', async () => {
    const refusal = new TypeError('functions only');
    const signal = {
      aborted: false,
      addEventListener() {
        throw refusal;
      },
    } as unknown as AbortSignal;
    const asked = { times: 0, closed: false };
    const source = counted(asked);
    source.next();
    await expect(gatherSettled(source, () => 1, { signal })).rejects.toBe(refusal);
    expect(asked).toEqual({ times: 1, closed: true });
  });

  test('an unknown option is refused by name', async () => {
    const options = { concurency: 5 } as object;
    await expect(gatherSettled([1], () => 1, options)).rejects.toThrow('did you mean concurrency?');
  });

  test('an empty source resolves at once', async () => {
    await expect(gatherSettled([], () => 1)).resolves.toMatchObject({
      total: 0,
      failureRate: 0,
      results: [],
    });
  });

  test('valuesOrThrow gives every value, or one AggregateError with every error in order', async () => {
    expect((await gatherSettled([1, 2], (n) => n * 2)).valuesOrThrow()).toEqual([2, 4]);
    const errors = [new Error('a'), new Error('b')];
    const gathered = await gatherSettled([0, 1], (i) => Promise.reject(errors[i]));
    const thrown = (() => {
      try {
        return gathered.valuesOrThrow();
      } catch (error) {
        return error as AggregateError;
      }
    })();
    expect(thrown).toBeInstanceOf(AggregateError);
    expect((thrown as AggregateError).errors).toEqual(errors);
    expect((thrown as AggregateError).message).toBe('2 of 2 items failed');
  });

  test.each([1, 3, 16])('never runs more than %i at a time, and does run that many', async (concurrency) => {
    let running = 0;
    let most = 0;
    await gatherSettled(
      range(100),
      async (i) => {
        most = Math.max(most, ++running);
        await microtasks(i % 5);
        running--;
      },
      concurrency === 16 ? {} : { concurrency },
    );
    expect(most).toBe(concurrency);
  });

  test('G3: an endless source is pulled only as fast as workers become free, and closed at the end', async () => {
    const asked = { times: 0, closed: false };
    const gathered = await gatherSettled(counted(asked), () => drained(), {
      concurrency: 3,
      stopWhen: ({ succeeded }) => succeeded >= 9,
    });
    expect(gathered.succeeded).toBeGreaterThanOrEqual(9);
    expect(asked.times).toBeLessThanOrEqual(12);
    expect(asked.closed).toBe(true);
  });

  test('G3: with a limiter, only one item at a time waits for it', async () => {
    const asked = { times: 0, closed: false };
    const limiter = new Semaphore(4);
    let done = 0;
    let mostWaiting = 0;
    const gathered = await gatherSettled(
      counted(asked, 50),
      async () => {
        mostWaiting = Math.max(mostWaiting, limiter.waiting);
        expect(asked.times).toBeLessThanOrEqual(done + 5);
        await drained();
        done++;
      },
      { limiter },
    );
    expect([gathered.succeeded, gathered.failed, mostWaiting]).toEqual([50, 0, 1]);
    expect([limiter.held, limiter.waiting]).toEqual([0, 0]);
  });

  test('a limiter alone decides how many run at once, even if it is more than the default', async () => {
    const limiter = new Semaphore(40);
    let most = 0;
    await gatherSettled(
      range(60),
      async () => {
        most = Math.max(most, limiter.held);
        await drained();
      },
      { limiter },
    );
    expect(most).toBe(40);
  });

  test('an item that waits for the limiter leaves its queue in the turn in which the run is stopped', async () => {
    const limiter = new Semaphore(1);
    const holder = limiter.tryAcquire();
    const controller = new AbortController();
    const outcome = watch(gatherSettled([1, 2], () => 1, { limiter, signal: controller.signal }));
    await drained();
    expect(limiter.waiting).toBe(1);
    controller.abort('enough');
    expect(limiter.waiting).toBe(0);
    await drained();
    expect(outcome.reason).toBe('enough');
    holder?.release();
  });

  test('stopWhen may answer anything truthy, such as a count', async () => {
    const stopWhen = (({ failed }: GatherProgress) => failed) as unknown as (
      progress: GatherProgress,
    ) => boolean;
    const failing = () => Promise.reject(new Error('no'));
    const gathered = await gatherSettled([1, 2, 3], failing, { concurrency: 1, stopWhen });
    expect(gathered).toMatchObject({ failed: 1, skipped: 2 });
  });

  test('the reason of the signal names stopWhen, and the summary has the duration', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout'], now: 0 });
    vi.advanceTimersByTime(5_000);
    const reasons: string[] = [];
    const outcome = watch(
      gatherSettled(
        [0, 1],
        (item, { signal }) => {
          if (item === 0) return drained();
          return new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              reasons.push((signal.reason as Error).message);
              vi.advanceTimersByTime(25);
              resolve();
            });
          });
        },
        { stopWhen: () => true },
      ),
    );
    await drained();
    await drained();
    vi.useRealTimers();
    expect(reasons).toEqual(['stopWhen asked to stop']);
    expect(outcome.value?.durationMs).toBe(25);
  });

  test('progress has no field total if the source does not know it', async () => {
    const seen: object[] = [];
    await gatherSettled(counted({ times: 0, closed: false }, 1), () => 1, {
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen.map((progress) => Object.hasOwn(progress, 'total'))).toEqual([false]);
  });

  test('with a limiter and a concurrency both bounds hold', async () => {
    const limiter = new Semaphore(10);
    let most = 0;
    await gatherSettled(
      range(30),
      async () => {
        most = Math.max(most, limiter.held);
        await drained();
      },
      { limiter, concurrency: 2 },
    );
    expect(most).toBe(2);
  });

  test('G1: an item that the limiter refuses has failed with its error', async () => {
    const limiter = new Semaphore(1);
    limiter.close();
    const gathered = await gatherSettled([1, 2], () => 1, { limiter });
    expect(gathered.errors.map(({ error }) => (error as { code: string }).code)).toEqual([
      'ERR_CLOSED',
      'ERR_CLOSED',
    ]);
  });

  test('a limiter that grants at once does not pile up calls', async () => {
    await expect(
      gatherSettled(range(20_000), (i) => i, { limiter: new Semaphore(Infinity) }),
    ).resolves.toMatchObject({
      succeeded: 20_000,
    });
  });

  test("stopWhen aborts the workers' signal, waits for those that run, and marks the rest skipped", async () => {
    const aborted: number[] = [];
    const finished: number[] = [];
    const gathered = await gatherSettled(
      range(6),
      async (i, { signal }) => {
        signal.addEventListener('abort', () => aborted.push(i));
        if (i === 1) throw new Error('one');
        await microtasks(20);
        finished.push(i);
      },
      { concurrency: 3, stopWhen: ({ failed }) => failed > 0 },
    );
    expect(gathered.results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'skipped',
      'skipped',
      'skipped',
    ]);
    expect(gathered).toMatchObject({ total: 6, succeeded: 2, failed: 1, skipped: 3 });
    expect(aborted).toEqual([0, 1, 2]);
    expect(finished).toEqual([0, 2]);
    expect(gathered.results[5]).toEqual({ status: 'skipped', index: 5, item: 5 });
  });

  test('an item that waits for the limiter when the run is stopped is skipped, not failed', async () => {
    const limiter = new Semaphore(1);
    const gathered = await gatherSettled(
      range(4),
      async (i) => {
        await drained();
        if (i === 0) throw new Error('no');
      },
      { limiter, stopWhen: ({ failed }) => failed > 0 },
    );
    // The limiter passes its permit on before the first failure is known: one more has started by then.
    expect(gathered).toMatchObject({ failed: 1, succeeded: 1, skipped: 2 });
    expect([limiter.held, limiter.waiting]).toEqual([0, 0]);
  });

  test('an abort rejects with signal.reason itself, after the running workers have ended', async () => {
    const controller = new AbortController();
    let running = 0;
    const gathering = watch(
      gatherSettled(
        range(10),
        async (_i, { signal }) => {
          running++;
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          await drained();
          running--;
        },
        { concurrency: 2, signal: controller.signal },
      ),
    );
    await drained();
    controller.abort('enough');
    expect([gathering.state, running]).toEqual(['pending', 2]);
    await drained();
    await drained();
    expect([gathering.reason, running]).toEqual(['enough', 0]);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test('a signal that is aborted already pulls nothing', async () => {
    const asked = { times: 0, closed: false };
    const gathering = gatherSettled(counted(asked), () => 1, { signal: AbortSignal.abort('before') });
    await expect(gathering).rejects.toBe('before');
    expect(asked.times).toBe(0);
  });

  test('an error of the source ends the run, after the running workers have ended', async () => {
    const broken = new Error('the source broke');
    let ended = 0;
    function* source() {
      yield 1;
      yield 2;
      throw broken;
    }
    const gathering = gatherSettled(source(), async () => {
      await drained();
      ended++;
    });
    await expect(gathering).rejects.toBe(broken);
    expect(ended).toBe(2);
  });

  test('an async source is asked for one item at a time', async () => {
    let asking = 0;
    let most = 0;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]() {
        let i = 0;
        return {
          async next() {
            most = Math.max(most, ++asking);
            await microtasks(3);
            asking--;
            return i < 20 ? { done: false, value: i++ } : { done: true, value: undefined };
          },
        };
      },
    };
    await expect(gatherSettled(source, (i) => i, { concurrency: 5 })).resolves.toMatchObject({
      succeeded: 20,
    });
    expect(most).toBe(1);
  });

  test('an async source whose next item is pending does not keep an aborted run from ending', async () => {
    const controller = new AbortController();
    const closed = vi.fn();
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          closed();
          return { done: true, value: undefined };
        },
      }),
    };
    const gathering = watch(gatherSettled(source, (i) => i, { signal: controller.signal }));
    await drained();
    controller.abort('enough');
    await drained();
    expect(gathering.reason).toBe('enough');
    expect(closed).toHaveBeenCalledOnce();
  });

  test('an async source feeds as many workers at a time as concurrency says', async () => {
    let running = 0;
    let most = 0;
    async function* source() {
      yield* range(20);
    }
    const worker = async () => {
      most = Math.max(most, ++running);
      await drained();
      running--;
    };
    await gatherSettled(source(), worker, { concurrency: 4 });
    expect(most).toBe(4);
  });

  test('concurrency Infinity over an async source asks for one item at a time, not for ever', async () => {
    const asked = { times: 0, closed: false };
    async function* source() {
      yield* counted(asked, 100);
    }
    const gathered = await gatherSettled(source(), () => drained(), { concurrency: Infinity });
    expect([gathered.succeeded, asked.times]).toEqual([100, 100]);
  });

  test('a generator that throws while it is closed ends the run with that error, and does not hang it', async () => {
    const broken = new Error('while closing');
    function* source() {
      try {
        for (;;) yield 1;
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: it is what the test is about
        throw broken;
      }
    }
    const gathering = watch(gatherSettled(source(), () => drained(), { stopWhen: () => true }));
    await drained();
    await drained();
    expect(gathering.reason).toBe(broken);
  });

  test('an async source is closed before the promise settles, and the promise rejects with an error of its closing', async () => {
    const broken = new Error('while closing');
    let closed = false;
    async function* source(error?: Error) {
      try {
        for (;;) yield 1;
      } finally {
        await drained();
        closed = true;
        // biome-ignore lint/correctness/noUnsafeFinally: it is what the test is about
        if (error !== undefined) throw error;
      }
    }
    const options = { concurrency: 1, stopWhen: () => true };
    // The worker is slow: the source has given the item after it and owes none.
    await gatherSettled(source(), () => drained(), options);
    expect(closed).toBe(true);
    await expect(gatherSettled(source(broken), () => drained(), options)).rejects.toBe(broken);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('broken'))],
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['gives no step', () => Promise.resolve(undefined as never)],
  ])('an async source whose next() %s ends the run, and is asked nothing more', async (_how, next) => {
    const iterator = { next: vi.fn(next), return: vi.fn() };
    const source: AsyncIterable<number> = { [Symbol.asyncIterator]: () => iterator };
    const gathering = watch(gatherSettled(source, (i) => i));
    await drained();
    expect(gathering.reason).toBeInstanceOf(Error);
    expect(iterator.next).toHaveBeenCalledOnce();
    expect(iterator.return).not.toHaveBeenCalled();
  });

  test('with a limiter, an item is not started if the source fails while it is granted', async () => {
    const broken = new Error('the source broke');
    const started: number[] = [];
    function* source() {
      yield 0;
      throw broken;
    }
    const limiter = new Semaphore(1);
    const holder = limiter.tryAcquire();
    const gathering = gatherSettled(source(), (i) => started.push(i), { limiter });
    holder?.release();
    await expect(gathering).rejects.toBe(broken);
    expect([started, limiter.held]).toEqual([[], 0]);
  });

  test('an item that the full limiter refuses has failed, and the next one is tried', async () => {
    const limiter = new Semaphore(1, { maxWaiting: 0 });
    const holder = limiter.tryAcquire();
    const gathered = await gatherSettled([1, 2, 3], () => 1, { limiter });
    holder?.release();
    expect(gathered).toMatchObject({ failed: 3, succeeded: 0, skipped: 0 });
    expect(gathered.errors.map(({ error }) => (error as { code: string }).code)).toEqual(
      Array(3).fill('ERR_QUEUE_FULL'),
    );
  });

  test('G1: a worker that throws at once counts as failed, like one that rejects', async () => {
    const gathered = await gatherSettled([1, 2], (i) => {
      if (i === 1) throw i;
      return i;
    });
    expect([gathered.values, gathered.errors]).toEqual([[2], [{ index: 0, item: 1, error: 1 }]]);
  });

  test('a string is an iterable of its characters', async () => {
    expect((await gatherSettled('añ😀', (character) => character)).values).toEqual(['a', 'ñ', '😀']);
  });

  test('a failure that stops the run leaves the others their own errors', async () => {
    const gathered = await gatherSettled(
      [0, 1],
      async (i, { signal }) => {
        if (i === 0) throw new Error('first');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw new Error('second');
      },
      { stopWhen: ({ failed }) => failed > 0 },
    );
    expect(gathered.errors.map(({ error }) => (error as Error).message)).toEqual(['first', 'second']);
  });

  test("the reason of the workers' signal after stopWhen is an AbortError", async () => {
    const gathered = await gatherSettled([1], (_item, { signal }) => signal, { stopWhen: () => true });
    expect((gathered.values[0] as AbortSignal).reason).toMatchObject({ name: 'AbortError' });
  });

  test("when nothing stopped the run, the workers' signal never aborts", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const gathered = await gatherSettled([1], (_item, context) => context.signal, { signal });
    controller.abort();
    expect(gathered.values[0]?.aborted).toBe(false);
  });

  test('items that an endless generator has not given are not listed as skipped', async () => {
    const asked = { times: 0, closed: false };
    const gathered = await gatherSettled(counted(asked), () => drained(), {
      concurrency: 2,
      stopWhen: () => true,
    });
    expect([gathered.total, gathered.skipped, asked.times]).toEqual([2, 0, 2]);
  });

  test('an iterator that has ended is neither asked again nor closed, with any number of free workers', async () => {
    let asked = 0;
    const close = vi.fn(() => ({ done: true, value: undefined }));
    const source = {
      [Symbol.iterator]: () => ({ next: () => ({ done: ++asked > 5, value: asked }), return: close }),
    };
    const gathered = await gatherSettled(source as Iterable<number>, () => drained(), { concurrency: 4 });
    expect([gathered.values.length, asked, close.mock.calls.length]).toEqual([5, 6, 0]);
  });

  test('an async generator whose next item never comes gets a return(), which is not waited for', async () => {
    const controller = new AbortController();
    async function* source() {
      yield 1;
      await new Promise(() => {});
    }
    const gathering = watch(gatherSettled(source(), (i) => i, { signal: controller.signal }));
    await drained();
    controller.abort('enough');
    await drained();
    expect(gathering.reason).toBe('enough');
  });

  test('a later error of such a source is no unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const controller = new AbortController();
    let giveUp!: (error: unknown) => void;
    const owed = new Promise<IteratorResult<number>>((_, reject) => {
      giveUp = reject;
    });
    const iterator = { next: () => owed, return: () => Promise.reject(new Error('while closing')) };
    const source: AsyncIterable<number> = { [Symbol.asyncIterator]: () => iterator };
    const gathering = watch(gatherSettled(source, (i) => i, { signal: controller.signal }));
    controller.abort('enough');
    giveUp(new Error('late'));
    await drained();
    process.off('unhandledRejection', unhandled);
    expect(gathering.reason).toBe('enough');
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('of several errors that end the run the promise rejects with the first', async () => {
    let told = 0;
    const stopWhen = () => {
      throw ++told;
    };
    await expect(gatherSettled(range(5), () => drained(), { stopWhen })).rejects.toBe(1);
    expect(told).toBe(5);
  });

  test('onProgress is called after each item, with the total if the source has one', async () => {
    const told: unknown[] = [];
    await gatherSettled(new Set([1, 2]), (i) => (i === 2 ? Promise.reject(i) : i), {
      concurrency: 1,
      onProgress: (progress) => told.push(progress),
    });
    expect(told).toEqual([
      { total: 2, started: 1, succeeded: 1, failed: 0 },
      { total: 2, started: 2, succeeded: 1, failed: 1 },
    ]);
  });

  test('an error of stopWhen ends the run, and the promise rejects with it', async () => {
    const bug = new Error('a bug in the hook');
    const stopWhen = () => {
      throw bug;
    };
    await expect(gatherSettled(range(100), (i) => i, { stopWhen })).rejects.toBe(bug);
  });

  test.each([
    ['items', () => gatherSettled(5 as never, () => 1)],
    ['items', () => gatherSettled(undefined as never, () => 1)],
    ['worker', () => gatherSettled([], 'no worker' as never)],
    ['options', () => gatherSettled([], () => 1, null as never)],
    ['concurrency', () => gatherSettled([], () => 1, { concurrency: 0 })],
    ['concurrency', () => gatherSettled([], () => 1, { concurrency: 1.5 })],
    ['limiter', () => gatherSettled([], () => 1, { limiter: {} as never })],
    ['stopWhen', () => gatherSettled([], () => 1, { stopWhen: 1 as never })],
    ['onProgress', () => gatherSettled([], () => 1, { onProgress: 1 as never })],
    ['signal', () => gatherSettled([], () => 1, { signal: 1 as never })],
  ])('bad %s reject at once, by name', async (name, call) => {
    const error = await call().catch((reason: unknown) => reason as Error);
    expect((error as Error).message).toContain(name);
  });

  test('for all items, workers and bounds, the summary adds up and no worker runs afterwards', async () => {
    const worker = fc.record({ ticks: fc.nat(6), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(worker, { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        fc.option(fc.nat(10), { nil: undefined }),
        fc.constantFrom('array', 'generator', 'async generator'),
        async (items, concurrency, limit, stopAfter, kind) => {
          let running = 0;
          let most = 0;
          const source = {
            array: () => items,
            generator: () => items.values(),
            'async generator': async function* () {
              yield* items;
            },
          }[kind]();
          const limiter = limit === undefined ? undefined : new Semaphore(limit);
          const gathered = await gatherSettled(
            source,
            async ({ ticks, fails }, { index }) => {
              most = Math.max(most, ++running);
              await microtasks(ticks);
              running--;
              if (fails) throw index;
              return index;
            },
            {
              concurrency,
              limiter,
              stopWhen: ({ succeeded, failed }) => stopAfter !== undefined && succeeded + failed > stopAfter,
            },
          );
          expect(running).toBe(0);
          expect(most).toBeLessThanOrEqual(Math.min(concurrency, limit ?? Infinity));
          expect(gathered.total).toBe(gathered.succeeded + gathered.failed + gathered.skipped);
          expect(gathered.results.map(({ index }) => index)).toEqual(range(gathered.total));
          for (const result of gathered.results) {
            expect(result.item).toBe(items[result.index]);
            if (result.status === 'fulfilled') expect(result.value).toBe(result.index);
            if (result.status === 'rejected') expect(result.reason).toBe(result.index);
          }
          if (kind === 'array' || stopAfter === undefined) expect(gathered.total).toBe(items.length);
          if (stopAfter === undefined)
            expect(gathered.failed).toBe(items.filter(({ fails }) => fails).length);
          if (limiter !== undefined) expect([limiter.held, limiter.waiting]).toEqual([0, 0]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
