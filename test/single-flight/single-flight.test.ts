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
  test('F1: callers that come while a call is under way share its result, and other keys have calls of their own', async () => {
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

  test('F2: a caller that leaves does not end the call for the others; the last one does', async () => {
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

  test('F3: a caller that comes from a listener of the abort begins a new call', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const controller = new AbortController();
    const left = watch(flights.run('a', call, { signal: controller.signal }));
    let next: Promise<string> | undefined;
    calls[0]?.signal.addEventListener('abort', () => {
      next = flights.run('a', call);
    });
    controller.abort('enough');
    expect(calls).toHaveLength(2);
    calls[1]?.resolve('value');
    expect(await next).toBe('value');
    expect(left.reason).toBe('enough');
  });

  test('F3, F5: a caller after an abort begins a new call, and the end of the old call changes nothing', async () => {
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

  test('F4: a failure rejects every caller, untouched, and is not kept', async () => {
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

  test('F4: a caller that comes in the turn in which the call settles begins a new one', async () => {
    const flights = new SingleFlight<string, number>();
    let calls = 0;
    const first = await flights.run('a', () => ++calls);
    expect([first, await flights.run('a', () => ++calls)]).toEqual([1, 2]);
  });

  test('F2: an abort and the end of the call in one turn: the first counts, and every caller is settled once', async () => {
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

  test('the call runs in the context of the caller that began it, and each caller continues in its own', async () => {
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
    ['a call that is no function', () => new SingleFlight().run('a', 5 as never), 'call'],
    [
      'a signal that is no signal',
      () => new SingleFlight().run('a', () => 1, { signal: {} as never }),
      'signal',
    ],
    [
      'a timeout that is no duration',
      () => new SingleFlight().run('a', () => 1, { waitTimeoutMs: -1 }),
      'waitTimeoutMs',
    ],
  ])('%s is a rejection that names it, and begins no call', async (_name, run, word) => {
    await expect(run()).rejects.toThrow(word);
  });

  test('a signal that is aborted already begins no call', async () => {
    const flights = new SingleFlight<string, number>();
    const { calls, call } = controlled<number>();
    await expect(flights.run('a', call, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect([calls.length, flights.size]).toEqual([0, 0]);
  });

  test('F1: a call that asks for its own key joins itself, and waits until it gives up', async () => {
    const flights = new SingleFlight<string, string>();
    let calls = 0;
    const inner = vi.fn(() => 'inner');
    const outer = flights.run('a', async () => {
      calls++;
      const controller = new AbortController();
      const again = flights.run('a', inner, { signal: controller.signal });
      controller.abort('it waits for itself');
      return await again.catch((reason: string) => reason);
    });
    await expect(outer).resolves.toBe('it waits for itself');
    expect([calls, inner.mock.calls.length, flights.size]).toEqual([1, 0, 0]);
  });

  test('F1: a call that asks for its own key before it returns does not begin a second one', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    let joined: Promise<string> | undefined;
    const outer = flights.run('a', (signal) => {
      joined = flights.run('a', call);
      return call(signal);
    });
    expect([calls.length, flights.size]).toEqual([1, 1]);
    calls[0]?.resolve('value');
    expect(await Promise.all([outer, joined])).toEqual(['value', 'value']);
  });

  test.each([
    ['a first caller', {}],
    ['a first caller with a timeout', { waitTimeoutMs: 60_000 }],
    ['a first caller with a signal', { signal: new AbortController().signal }],
  ])("F6: the stack of the call's own error names %s", async (_, options) => {
    const flights = new SingleFlight<string, string>();
    async function nameOfTheCaller() {
      return await flights.run(
        'a',
        async () => {
          await microtasks(2);
          throw new Error('of the call');
        },
        options,
      );
    }
    const error = (await nameOfTheCaller().catch((reason: unknown) => reason)) as Error;
    expect(error.stack).toContain('nameOfTheCaller');
  });

  test('F2: the first caller may leave while others wait, and a late failure is no unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const controller = new AbortController();
    const first = watch(flights.run('a', call, { signal: controller.signal }));
    const second = watch(flights.run('a', call));
    controller.abort('enough');
    calls[0]?.reject('failed');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect([first.reason, second.reason, unhandled.mock.calls.length]).toEqual(['enough', 'failed', 0]);
  });

  test('callers that wait are settled in the order in which they came', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const order: number[] = [];
    const all = [0, 1, 2].map((i) => flights.run('a', call).then(() => order.push(i)));
    calls[0]?.resolve('value');
    await Promise.all(all);
    expect([...order].sort()).toEqual([0, 1, 2]);
    expect(order.indexOf(1)).toBeLessThan(order.indexOf(2));
  });

  test('a signal that refuses listeners rejects with its error, and begins no call', async () => {
    const refusal = new TypeError('functions only');
    const signal = {
      aborted: false,
      addEventListener() {
        throw refusal;
      },
    } as unknown as AbortSignal;
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    await expect(flights.run('a', call, { signal })).rejects.toBe(refusal);
    expect([calls.length, flights.size]).toEqual([0, 0]);
  });

  test('an unknown option is refused by name', () => {
    expect(() => new SingleFlight({ timeoutMs: 5 } as object)).toThrow('did you mean waitTimeoutMs?');
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

  test('the error of a caller that waited too long names the key; the others wait on', async () => {
    const flights = new SingleFlight<string, string>();
    const { calls, call } = controlled<string>();
    const short = watch(flights.run('a', call, { waitTimeoutMs: 10 }));
    const long = watch(flights.run('a', call));
    await vi.advanceTimersByTimeAsync(10);
    expect(short.reason).toBeInstanceOf(WaitTimeoutError);
    expect(short.reason).toMatchObject({ key: 'a', waitedMs: 10 });
    expect([long.state, calls[0]?.signal.aborted]).toEqual(['pending', false]);
  });

  test('the constructor sets the timeout of callers that give none; each call may set its own', async () => {
    const flights = new SingleFlight<string, string>({ waitTimeoutMs: 10 });
    const { calls, call } = controlled<string>();
    const [plain, undefinedOption, patient] = [
      watch(flights.run('a', call)),
      watch(flights.run('a', call, { waitTimeoutMs: undefined })),
      watch(flights.run('a', call, { waitTimeoutMs: Infinity })),
    ];
    await vi.advanceTimersByTimeAsync(10);
    expect([plain.reason, undefinedOption.reason]).toMatchObject([
      { code: 'ERR_WAIT_TIMEOUT', held: 1, limit: 1, waiting: 2 },
      { code: 'ERR_WAIT_TIMEOUT', waiting: 1 },
    ]);
    expect([patient.state, calls[0]?.signal.aborted]).toEqual(['pending', false]);
    calls[0]?.resolve('value');
    await vi.advanceTimersByTimeAsync(0);
    expect(patient.value).toBe('value');
  });

  test('without a type argument keys are strings: a compiler refuses others', async () => {
    const flights = new SingleFlight();
    // @ts-expect-error 7 and '7' would be two keys.
    await expect(flights.run(7, () => 'value')).resolves.toBe('value');
    await new SingleFlight<number>().run(7, () => {});
  });
});
