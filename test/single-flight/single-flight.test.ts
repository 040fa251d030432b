import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { WaitTimeoutError } from 'latchkey';
import { SingleFlight } from 'latchkey/single-flight';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, microtasks, watch } from '../support/lock-likes.js';

/** A call whose end the test decides. */
function controlled<V>() {
  const calls: { signal: AbortSignal; resolve: (value: V) => void; reject: (error: unknown) => void }[] = [];
  const call = (signal: AbortSignal) =>
    new Promise<V>((resolve, reject) => void calls.push({ signal, resolve, reject }));
  return { calls, call };
}

describe('single flight', () => {
  test('F1: all who ask while a call is under way get its result, and other keys have calls of their own', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const results = [1, 2, 3].map(() => flights.run('a', call));
    const other = flights.run('b', call);
    expect([calls.length, flights.size, flights.has('a'), flights.has('c')]).toEqual([2, 2, true, false]);
    calls[0]?.resolve('value');
    calls[1]?.resolve('other');
    expect(await Promise.all(results)).toEqual(['value', 'value', 'value']);
    expect(await other).toBe('other');
    expect(flights.size).toBe(0);
  });

  test('F2: one who leaves does not take the call from the others; the last one does', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const [first, last] = [new AbortController(), new AbortController()];
    const one = watch(flights.run('a', call, { signal: first.signal }));
    const other = watch(flights.run('a', call, { signal: last.signal }));
    first.abort('enough');
    await drained();
    expect(one).toMatchObject({ state: 'rejected', reason: 'enough' });
    expect([other.state, calls[0]?.signal.aborted]).toEqual(['pending', false]);
    last.abort('me too');
    await drained();
    expect(other).toMatchObject({ state: 'rejected', reason: 'me too' });
    expect(calls[0]?.signal.aborted).toBe(true);
  });

  test('F3, F5: who comes after an abort begins anew, and the old call’s end changes nothing', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const controller = new AbortController();
    const left = watch(flights.run('a', call, { signal: controller.signal }));
    controller.abort();
    const next = watch(flights.run('a', call));
    expect(calls).toHaveLength(2);
    calls[0]?.reject(new Error('aborted'));
    await drained();
    expect([left.state, next.state, flights.has('a')]).toEqual(['rejected', 'pending', true]);
    calls[1]?.resolve('value');
    await drained();
    expect(next.value).toBe('value');
  });

  test('F4: a failure is told to all, untouched, and not kept', async () => {
    const flights = new SingleFlight<string, number>();
    const failure = new Error('of the call');
    let calls = 0;
    const failing = () => {
      calls++;
      return Promise.reject(failure);
    };
    const results = [1, 2].map(() => flights.run('a', failing));
    for (const result of results) await expect(result).rejects.toBe(failure);
    await expect(flights.run('a', failing)).rejects.toBe(failure);
    expect(calls).toBe(2);
    const throwing = () => {
      throw failure;
    };
    await expect(flights.run('b', throwing)).rejects.toBe(failure);
    expect(flights.size).toBe(0);
  });

  test('a caller who comes in the turn in which the call settles begins a new one', async () => {
    const flights = new SingleFlight<string, number>();
    let calls = 0;
    const first = await flights.run('a', () => ++calls);
    expect([first, await flights.run('a', () => ++calls)]).toEqual([1, 2]);
  });

  test('an abort and the end of the call in one turn: whichever came first counts, nobody is lost', async () => {
    for (let abortAt = 0; abortAt < 5; abortAt++) {
      for (let settleAt = 0; settleAt < 5; settleAt++) {
        const flights = new SingleFlight<string, string>();
        const { calls, call } = controlled<string>();
        const controller = new AbortController();
        const leaving = watch(flights.run('a', call, { signal: controller.signal }));
        const staying = watch(flights.run('a', call));
        void microtasks(abortAt).then(() => controller.abort('enough'));
        void microtasks(settleAt).then(() => calls[0]?.resolve('value'));
        await drained();
        expect([leaving.times, staying.times, staying.value, flights.size]).toEqual([1, 1, 'value', 0]);
        expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      }
    }
  });

  test('the call runs in the context of whoever began it, and each caller goes on in his own', async () => {
    const storage = new AsyncLocalStorage<string>();
    const flights = new SingleFlight<string, string | undefined>();
    const seen = ['a', 'b'].map((name) =>
      storage.run(name, async () => {
        const of = await flights.run('key', async () => storage.getStore());
        return [of, storage.getStore()];
      }),
    );
    expect(await Promise.all(seen)).toEqual([
      ['a', 'a'],
      ['a', 'b'],
    ]);
  });

  test.each([
    ['a call that is none', () => new SingleFlight().run('a', 5 as never), 'call'],
    ['a signal that is none', () => new SingleFlight().run('a', () => 1, { signal: {} as never }), 'signal'],
    [
      'a timeout that is none',
      () => new SingleFlight().run('a', () => 1, { waitTimeoutMs: -1 }),
      'waitTimeoutMs',
    ],
  ])('%s is a rejection that names it, and begins nothing', async (_name, run, word) => {
    await expect(run()).rejects.toThrow(word);
  });

  test('a signal that is aborted already begins nothing', async () => {
    const flights = new SingleFlight<string, number>();
    const { calls, call } = controlled<number>();
    await expect(flights.run('a', call, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect([calls.length, flights.size]).toEqual([0, 0]);
  });

  test('model: callers come, leave and are served in any order; each is settled once, and no call is abandoned alive', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), key: fc.nat(1) }),
      fc.record({ kind: fc.constant('leave' as const), who: fc.nat(9) }),
      fc.record({ kind: fc.constant('settle' as const), which: fc.nat(9), ok: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const flights = new SingleFlight<number, string>();
        const { calls, call } = controlled<string>();
        const callers: { controller: AbortController; outcome: ReturnType<typeof watch> }[] = [];
        for (const s of steps) {
          if (s.kind === 'ask') {
            const controller = new AbortController();
            const { signal } = controller;
            callers.push({ controller, outcome: watch(flights.run(s.key, call, { signal })) });
          } else if (s.kind === 'leave') callers[s.who]?.controller.abort();
          else if (s.ok) calls[s.which]?.resolve('value');
          else calls[s.which]?.reject(new Error('failed'));
          await drained();
          const waiting = callers.filter(({ outcome }) => outcome.state === 'pending').length;
          expect(flights.size > 0).toBe(waiting > 0);
        }
        for (const { controller } of callers) controller.abort();
        await drained();
        expect(callers.every(({ outcome }) => outcome.times === 1)).toBe(true);
        expect(flights.size).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('single flight, timeouts', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('one who waits too long is told of the key; the others wait on', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const short = watch(flights.run('a', call, { waitTimeoutMs: 10 }));
    const long = watch(flights.run('a', call));
    await vi.advanceTimersByTimeAsync(10);
    expect(short.reason).toBeInstanceOf(WaitTimeoutError);
    expect(short.reason).toMatchObject({ key: 'a', waitedMs: 10 });
    expect([long.state, calls[0]?.signal.aborted]).toEqual(['pending', false]);
  });
});
