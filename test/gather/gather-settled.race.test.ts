/** An abort or a stop at every microtask of a run, over every kind of source, with and without a limiter. */
import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { type Gathered, gatherSettled, Semaphore } from 'latchkey';
import { describe, expect, test } from 'vitest';
import { drained, microtasks, watch } from '../support/lock-likes.js';

interface Work {
  readonly ticks: number;
  readonly fails: boolean;
}

const kinds = ['array', 'set', 'generator', 'async generator'] as const;

/** The items as a source of that kind, and how often it was closed: an iterator that was begun is closed exactly once. */
function sourceOf(kind: (typeof kinds)[number], items: readonly Work[]) {
  const source = { begun: 0, left: 0, items: items as Iterable<Work> | AsyncIterable<Work> };
  function* generator() {
    source.begun++;
    try {
      yield* items;
    } finally {
      source.left++;
    }
  }
  async function* asyncGenerator() {
    yield* generator();
  }
  if (kind === 'set') source.items = new Set(items);
  if (kind === 'generator') source.items = generator();
  if (kind === 'async generator') source.items = asyncGenerator();
  return source;
}

interface Run {
  readonly kind: (typeof kinds)[number];
  readonly items: readonly Work[];
  readonly concurrency?: number | undefined;
  readonly limit?: number | undefined;
  /** Microtasks until the abort, and items that end until the stop. */
  readonly abortAfter?: number | undefined;
  readonly stopAfter?: number | undefined;
}

/** Runs it, checks G1 to G4, and gives the summary, if there is one. */
async function checked({ kind, items, concurrency, limit, abortAfter, stopAfter }: Run) {
  const source = sourceOf(kind, items);
  const limiter = limit === undefined ? undefined : new Semaphore(limit);
  const controller = new AbortController();
  const { signal } = controller;
  const started: Work[] = [];
  let running = 0;
  let most = 0;
  let startedAfterStop = 0;
  const worker = async (work: Work, context: { index: number; signal: AbortSignal }) => {
    if (context.signal.aborted) startedAfterStop++;
    started.push(work);
    most = Math.max(most, ++running);
    await microtasks(work.ticks);
    running--;
    if (work.fails) throw context.index;
    return context.index;
  };
  let runningAtEnd = -1;
  const gathering = gatherSettled(source.items, worker, {
    concurrency,
    limiter,
    signal,
    stopWhen: ({ succeeded, failed }) => stopAfter !== undefined && succeeded + failed >= stopAfter,
  }).finally(() => {
    runningAtEnd = running;
  });
  const outcome = watch(gathering);
  if (abortAfter !== undefined) {
    await microtasks(abortAfter);
    controller.abort('enough');
  }
  await drained();

  expect(outcome.times).toBe(1);
  expect({ runningAtEnd, startedAfterStop }).toEqual({ runningAtEnd: 0, startedAfterStop: 0 });
  expect(most).toBeLessThanOrEqual(Math.min(concurrency ?? Infinity, limit ?? Infinity));
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(source.left).toBe(source.begun);
  if (limiter !== undefined) expect([limiter.held, limiter.waiting]).toEqual([0, 0]);
  if (outcome.state === 'rejected')
    expect([abortAfter !== undefined, outcome.reason]).toEqual([true, 'enough']);
  if (outcome.value !== undefined) checkSummary(outcome.value, items, started, kind);
  return outcome.value;
}

function checkSummary(
  gathered: Gathered<Work, number>,
  items: readonly Work[],
  started: readonly Work[],
  kind: Run['kind'],
): void {
  const { total, succeeded, failed, skipped, results, values, errors } = gathered;
  expect(total).toBe(succeeded + failed + skipped);
  expect(results.map(({ index, item }) => [index, item])).toEqual(
    items.slice(0, total).map((item, i) => [i, item]),
  );
  if (kind === 'array' || kind === 'set') expect(total).toBe(items.length);
  const ran = results.filter(({ status }) => status !== 'skipped');
  expect(new Set(ran.map(({ item }) => item))).toEqual(new Set(started));
  for (const { item, status } of ran) expect(status).toBe(item.fails ? 'rejected' : 'fulfilled');
  expect(values).toEqual(ran.filter(({ item }) => !item.fails).map(({ index }) => index));
  expect(errors).toEqual(
    ran.filter(({ item }) => item.fails).map(({ index, item }) => ({ index, item, error: index })),
  );
}

const six: readonly Work[] = [2, 0, 5, 1, 3, 0].map((ticks, i) => ({ ticks, fails: i % 3 === 1 }));

describe.each(kinds)('gather over an %s', (kind) => {
  test.each([
    ['', {}],
    [' with a limiter', { limit: 2 }],
    [' with a limiter that is never full', { limit: 9 }],
  ])('G4: an abort at any microtask%s ends it cleanly', async (_with, limits) => {
    const outcomes = new Set<string>();
    for (let abortAfter = 0; abortAfter < 80; abortAfter++) {
      const gathered = await checked({ kind, items: six, concurrency: 2, abortAfter, ...limits });
      outcomes.add(gathered === undefined ? 'aborted' : 'done');
    }
    // The sweep reached beyond the end of the run.
    expect([...outcomes]).toEqual(['aborted', 'done']);
  });

  test('a stop after any number of items ends it cleanly', async () => {
    for (let stopAfter = 0; stopAfter <= six.length; stopAfter++) {
      const gathered = await checked({ kind, items: six, concurrency: 2, stopAfter });
      const ended = (gathered?.succeeded ?? 0) + (gathered?.failed ?? 0);
      expect(ended).toBeGreaterThanOrEqual(Math.min(stopAfter, six.length));
      expect(ended).toBeLessThanOrEqual(Math.max(stopAfter, 1) + 1);
    }
  });
});

test('for all items, bounds, aborts and stops, the summary adds up and no worker runs afterwards', async () => {
  const optional = (max: number, min = 0) => fc.option(fc.integer({ min, max }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        kind: fc.constantFrom(...kinds),
        items: fc.array(fc.record({ ticks: fc.nat(6), fails: fc.boolean() }), { maxLength: 30 }),
        concurrency: optional(5, 1),
        limit: optional(5, 1),
        abortAfter: optional(60),
        stopAfter: optional(20),
      }),
      async (run) => {
        const { items, abortAfter, stopAfter } = run;
        const gathered = await checked(run);
        if (abortAfter === undefined && stopAfter === undefined) {
          expect(gathered).toMatchObject({ total: items.length, skipped: 0 });
        }
      },
    ),
    { numRuns: 500 },
  );
});
