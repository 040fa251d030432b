/** The invariants E1..E5 and Y1..Y3 in manual time; what a runtime reports of real blocks in real time. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import {
  type BlockCause,
  type EventLoopBlock,
  type EventLoopMonitorOptions,
  type EventLoopStats,
  monitorEventLoop,
  yieldEvery,
} from 'latchkey/event-loop';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { watchEventLoop } from '../../docs/recipes/event-loop-watch.js';
import { total } from '../../docs/recipes/long-work.js';
import { causeOf, processorMs } from '../../src/event-loop/block-cause.js';
import { ManualTime } from '../support/manual-time.js';

const boom = () => {
  throw new Error('boom');
};

/** A runtime that reports the pauses of its collector when the test wants it to. */
function fakeCollector() {
  let tell: ((list: { getEntries(): { startTime: number; duration: number }[] }) => void) | undefined;
  class FakeObserver {
    static readonly supportedEntryTypes = ['gc'];
    readonly #listener: typeof tell;
    constructor(listener: typeof tell) {
      this.#listener = listener;
    }
    observe(): void {
      tell = this.#listener;
    }
    disconnect(): void {
      tell = undefined;
    }
  }
  vi.stubGlobal('PerformanceObserver', FakeObserver);
  return {
    get observing() {
      return tell !== undefined;
    },
    pause(startTime: number, duration: number) {
      tell?.({ getEntries: () => [{ startTime, duration }] });
    },
  };
}

describe('monitorEventLoop, in manual time', () => {
  let time: ManualTime;
  beforeEach(() => {
    time = new ManualTime();
    time.install();
  });
  afterEach(() => {
    expect(time.armed, 'timers left behind').toBe(0);
    time.uninstall();
  });

  const blockAt = (atMs: number, forMs: number) =>
    setTimeout(() => {
      time.nowMs += forMs;
    }, atMs);

  test('one block of 200 ms in 2 s is a tenth of the time, and shows in p99', async () => {
    using monitor = monitorEventLoop();
    blockAt(1_002, 200);
    await time.advance(2_000);
    const { blockedShare, blocks, longestBlockMs, p99Ms } = monitor.stats();
    expect(blocks).toBe(1);
    expect(longestBlockMs).toBe(197);
    expect(blockedShare).toBeCloseTo(0.0985, 3);
    // For 1 % of 2,000 ms, whatever fell due in the block's first 20 ms, the wait was longer than 177 ms.
    expect(p99Ms).toBeCloseTo(177, 0);
  });

  test('busy is not blocked: work without a pause in slices of 2 ms blocks nothing', async () => {
    using monitor = monitorEventLoop();
    let working = true;
    const slice = () => {
      time.nowMs += 2;
      if (working) setTimeout(slice, 0);
    };
    setTimeout(slice, 0);
    await time.advance(1_000);
    working = false;
    await time.advance(2);
    expect(monitor.stats()).toMatchObject({ blockedShare: 0, blocks: 0, longestBlockMs: 0 });
    expect(monitor.stats().p99Ms).toBeLessThanOrEqual(2);
  });

  test('E1: a block is never reported longer than it was, and at most one tick shorter', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          thresholdMs: fc.integer({ min: 4, max: 100 }),
          atMs: fc.double({ min: 0, max: 50, noNaN: true }),
          overMs: fc.integer({ min: 0, max: 5_000 }),
        }),
        async ({ thresholdMs, atMs, overMs }) => {
          const told: EventLoopBlock[] = [];
          const beatMs = thresholdMs / 4;
          const blockedMs = thresholdMs + beatMs + overMs;
          using _monitor = monitorEventLoop({ thresholdMs, onBlock: (block) => told.push(block) });
          blockAt(atMs, blockedMs);
          await time.advance(50 + blockedMs + 2 * beatMs);
          expect(told).toHaveLength(1);
          expect(told[0]?.blockedMs).toBeLessThanOrEqual(blockedMs + 1e-6);
          expect(told[0]?.blockedMs).toBeGreaterThanOrEqual(blockedMs - beatMs - 1e-6);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('no figure is above the longest wait, for blocks of any length', async () => {
    for (const blockedMs of [20, 40, 7_000, 80_000, 10_000_000]) {
      using monitor = monitorEventLoop();
      blockAt(5, blockedMs);
      await time.advance(blockedMs + 10);
      const { blockedShare, p99Ms } = monitor.stats();
      expect(blockedShare).toBeLessThanOrEqual(1);
      expect(p99Ms).toBeLessThanOrEqual(blockedMs);
      expect(p99Ms).toBeGreaterThan(blockedMs / 2);
    }
  });

  test('E2: a block shorter than the threshold counts for p99 only', async () => {
    const onBlock = vi.fn();
    using monitor = monitorEventLoop({ onBlock });
    for (let atMs = 0; atMs < 1_000; atMs += 100) blockAt(atMs + 3, 15);
    await time.advance(1_000);
    expect(monitor.stats()).toMatchObject({ blockedShare: 0, blocks: 0, longestBlockMs: 0 });
    expect(monitor.stats().p99Ms).toBeGreaterThan(8);
    expect(onBlock).not.toHaveBeenCalled();
  });

  test('E3: a block is reported once, one tick after it', async () => {
    const onBlock = vi.fn();
    using monitor = monitorEventLoop({ onBlock });
    blockAt(5, 100);
    await time.advance(105);
    expect([monitor.stats().blocks, onBlock.mock.calls.length]).toEqual([1, 0]);
    await time.advance(5);
    expect(onBlock).toHaveBeenCalledOnce();
    await time.advance(100);
    expect(onBlock).toHaveBeenCalledOnce();
  });

  test('pauses of the collector count for the block they lie in, reported before its tick or after', async () => {
    const runtime = fakeCollector();
    const told: EventLoopBlock[] = [];
    const monitor = monitorEventLoop({ onBlock: (block) => told.push(block) });
    const startMs = time.nowMs;
    blockAt(5, 100);
    await time.advance(5);
    runtime.pause(startMs, 20); // half of it lies in the block as it is reported, from 10 to 105
    time.nowMs = startMs + 105;
    await time.advance(1);
    runtime.pause(startMs + 60, 45);
    await time.advance(10);
    expect(told).toMatchObject([{ blockedMs: 95, gcMs: 55 }]);
    blockAt(4, 100);
    await time.advance(200);
    expect(told[1]).toMatchObject({ gcMs: 0 });
    expect(runtime.observing).toBe(true);
    monitor.stop();
    expect(runtime.observing).toBe(false);
  });

  test('blocks in a row are reported one by one', async () => {
    const told: number[] = [];
    using monitor = monitorEventLoop({ onBlock: ({ blockedMs }) => told.push(blockedMs) });
    for (const forMs of [30, 40, 50]) blockAt(0, forMs); // until 120, the tick was due at 5
    for (const forMs of [60, 70]) blockAt(121, forMs); // until 251, the tick was due at 125
    await time.advance(400);
    expect(told).toEqual([115, 126]);
    blockAt(5, 50);
    await time.advance(100);
    expect(monitor.stats()).toMatchObject({ blocks: 3, longestBlockMs: 126 });
  });

  test('E4: a window that was blocked for more than the budget is reported once, at its end', async () => {
    const windows: EventLoopStats[] = [];
    using monitor = monitorEventLoop({
      budget: 0.05,
      windowMs: 1_000,
      onOverBudget: (window) => windows.push(window),
    });
    for (const atMs of [100, 300, 500]) blockAt(atMs, 40); // 12 %, less a tick each
    blockAt(1_500, 40); // 4 %
    blockAt(2_500, 300);
    await time.advance(990);
    expect(windows).toHaveLength(0);
    await time.advance(3_100);
    expect(windows.map(({ blocks }) => blocks)).toEqual([3, 1]);
    expect(windows[1]?.longestBlockMs).toBeGreaterThan(290);
    expect(monitor.stats().blocks).toBe(5);
  });

  test('E5: after stop() no hook is called, not even for a block that is not reported yet', async () => {
    const hook = vi.fn();
    const monitor = monitorEventLoop({ onBlock: hook, onOverBudget: hook, windowMs: 150 });
    blockAt(5, 100);
    await time.advance(105);
    monitor.stop();
    monitor.stop();
    await time.advance(1_000);
    expect(hook).not.toHaveBeenCalled();
    expect(monitor.stats().blocks).toBe(1);
  });

  test('a hook may stop the monitor: the other hook is not called then', async () => {
    const onOverBudget = vi.fn();
    const monitor = monitorEventLoop({ windowMs: 106, onBlock: () => monitor.stop(), onOverBudget });
    blockAt(5, 100);
    await time.advance(500);
    expect(onOverBudget).not.toHaveBeenCalled();
  });

  test('reset() sets the figures to zero, and does not touch the window', async () => {
    const onOverBudget = vi.fn();
    using monitor = monitorEventLoop({ windowMs: 1_000, onOverBudget });
    blockAt(5, 100);
    await time.advance(200);
    monitor.reset();
    expect(monitor.stats()).toEqual({
      observedMs: 0,
      blockedShare: 0,
      blocks: 0,
      longestBlockMs: 0,
      p99Ms: 0,
    });
    await time.advance(900);
    expect(monitor.stats().blocks).toBe(0);
    expect(onOverBudget).toHaveBeenCalledOnce();
  });

  test('it does not keep the process alive', () => {
    using _monitor = monitorEventLoop();
    expect([time.armed, time.foreground]).toEqual([1, 0]);
  });

  test('hooks run in the context in which the monitor was made', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const see = () => void seen.push(storage.getStore());
    time.uninstall();
    const monitor = storage.run('maker', () =>
      monitorEventLoop({ thresholdMs: 4, windowMs: 20, onBlock: see, onOverBudget: see }),
    );
    await vi.waitFor(async () => {
      compute(30);
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(seen.length).toBeGreaterThan(2);
    }, 10_000);
    monitor.stop();
    expect(new Set(seen)).toEqual(new Set(['maker']));
  });

  test.each([
    ['throw', boom],
    ['reject', () => Promise.reject(new Error('boom'))],
  ])('hooks that %s have no effect on the monitor', async (_name, hook) => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const onBlock = vi.fn(hook);
    using monitor = monitorEventLoop({ onBlock, onOverBudget: hook, windowMs: 100 });
    for (const atMs of [5, 205, 405]) blockAt(atMs, 100);
    await time.advance(1_000);
    process.off('unhandledRejection', unhandled);
    expect([onBlock.mock.calls.length, monitor.stats().blocks]).toEqual([3, 3]);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test.each([
    ['options', null, TypeError, 'options must be an object, got null'],
    ['thresholdMs', '20', TypeError, 'thresholdMs must be a number, got "20"'],
    ['thresholdMs', Number.NaN, RangeError, 'thresholdMs must be a finite number of at least 0, got NaN'],
    ['budget', -1, RangeError, 'budget must be a finite number of at least 0, got -1'],
    ['windowMs', Infinity, RangeError, 'windowMs must be a finite number of at least 0, got Infinity'],
    ['onBlock', 5, TypeError, 'onBlock must be a function, got 5'],
    ['onOverBudget', {}, TypeError, 'onOverBudget must be a function, got an object'],
  ])('a bad %s is refused by name: %j', (name, value, kind, message) => {
    const options = (name === 'options' ? value : { [name]: value }) as EventLoopMonitorOptions;
    const making = () => monitorEventLoop(options);
    expect(making).toThrow(kind);
    expect(making).toThrow(message);
  });
});

/** Holds the thread until it has used that much processor time, however busy the machine is. */
function compute(forMs: number): void {
  const startedMs = performance.now();
  const startMicros = process.cpuUsage();
  let cpuMs = 0;
  // Both clocks: other threads of the process, such as the compiler's, count as processor time too.
  while (cpuMs < forMs || performance.now() - startedMs < forMs) {
    const { user, system } = process.cpuUsage(startMicros);
    cpuMs = (user + system) / 1_000;
  }
}

/** Holds the thread without using the processor. */
function waitBlocked(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

describe('monitorEventLoop, with real blocks', () => {
  async function blockToldOf(block: () => void): Promise<EventLoopBlock> {
    const told: EventLoopBlock[] = [];
    using monitor = monitorEventLoop({ onBlock: (each) => void told.push(each) });
    await new Promise((resolve) => setTimeout(resolve, 10));
    block();
    await vi.waitFor(() => expect(told.some(({ blockedMs }) => blockedMs > 90)).toBe(true), 10_000);
    expect(monitor.stats().longestBlockMs).toBeGreaterThan(90);
    return told.find(({ blockedMs }) => blockedMs > 90)!;
  }

  test('sees computation in the processor time', async () => {
    const { blockedMs, cause, gcMs, cpuMs } = await blockToldOf(() => compute(100));
    expect(cpuMs).toBeGreaterThan(80);
    // A machine with too much to do may have given the process less than half of the time.
    if (cpuMs! > blockedMs / 2 && gcMs < blockedMs / 2) expect(cause).toBe('computation');
  });

  test('sees a wait in the processor time that was not used', async () => {
    expect(await blockToldOf(() => waitBlocked(150))).toMatchObject({ cause: 'waiting' });
  });

  test.each<[BlockCause, number, number, number | undefined]>([
    ['computation', 100, 0, 90],
    ['computation', 100, 40, 90],
    ['garbageCollection', 100, 60, 90],
    ['garbageCollection', 100, 60, undefined],
    ['waiting', 100, 0, 10],
    ['unknown', 100, 0, undefined],
  ])('says %s of %d ms, with %d ms of collector and %s ms of processor', (cause, blockedMs, gcMs, cpuMs) => {
    expect(causeOf(blockedMs, gcMs, cpuMs)).toBe(cause);
  });

  test('does not know the processor time where the method throws, as on Workers', () => {
    expect(processorMs()).toBeGreaterThan(0);
    using _ = vi.spyOn(process, 'cpuUsage').mockImplementation(() => {
      throw new Error('not implemented');
    });
    expect(processorMs()).toBeUndefined();
  });

  test('names the garbage collector as the cause of a block', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const ballast = Array.from({ length: 1_000_000 }, (_, id) => ({ id }));
    const told: EventLoopBlock[] = [];
    using _monitor = monitorEventLoop({ onBlock: (each) => void told.push(each) });
    await vi.waitFor(
      async () => {
        for (let i = 0; i < 8; i++) collect();
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(told.map(({ cause }) => cause)).toContain('garbageCollection');
      },
      { timeout: 15_000 },
    );
    expect(ballast).toHaveLength(1_000_000);
  });

  test('the recipe logs blocks', async () => {
    const log: string[] = [];
    using _monitor = watchEventLoop((line) => log.push(line));
    compute(200);
    await vi.waitFor(() => expect(log.join('\n')).toMatch(/^event loop blocked for \d+ ms: /), 10_000);
  });
});

describe('yieldEvery', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test('Y1: within a slice nothing is awaited, then a turn is, and a new slice begins', async () => {
    const time = new ManualTime();
    time.install();
    const nextSlice = yieldEvery(10);
    time.nowMs += 9;
    expect(nextSlice()).toBeUndefined();
    time.nowMs += 1;
    const turn = nextSlice();
    expect(turn).toBeInstanceOf(Promise);
    time.nowMs += 100;
    await turn;
    expect(nextSlice()).toBeUndefined();
    time.nowMs += 10;
    expect(nextSlice()).toBeInstanceOf(Promise);
    time.uninstall();
  });

  test('Y2: timers run between the slices, and none while only promises are awaited', async () => {
    const timersDuring = async (forMs: number, pause: () => Promise<void> | undefined) => {
      let fired = 0;
      const timer = setInterval(() => fired++, 1);
      const endMs = performance.now() + forMs;
      while (performance.now() < endMs && fired < 5) await pause();
      clearInterval(timer);
      return fired;
    };
    expect(await timersDuring(100, () => Promise.resolve())).toBe(0);
    expect(await timersDuring(10_000, yieldEvery(5))).toBe(5);
  });

  test('Y3: all callers that share the function resume in the same turn', async () => {
    const nextSlice = yieldEvery(0);
    const first = nextSlice();
    expect(first).toBeInstanceOf(Promise);
    expect(nextSlice()).toBe(first);
    await first;
    expect(nextSlice()).not.toBe(first);
  });

  test('without setImmediate it uses a timer', async () => {
    vi.stubGlobal('setImmediate', undefined);
    await expect(yieldEvery(0)()).resolves.toBeUndefined();
  });

  test('Infinity never yields', () => {
    expect(yieldEvery(Infinity)()).toBeUndefined();
  });

  test.each([
    ['10', TypeError, 'sliceMs must be a number, got "10"'],
    [-1, RangeError, 'sliceMs must be at least 0 milliseconds, or Infinity, got -1'],
  ])('a bad slice is refused by name: %j', (sliceMs, kind, message) => {
    const making = () => yieldEvery(sliceMs as number);
    expect(making).toThrow(kind);
    expect(making).toThrow(message);
  });

  test('the recipe gives the right sum, and hears an abort that arrives between two slices', async () => {
    const rows = Array.from({ length: 1_000 }, (_, id) => ({ price: id, quantity: 2 }));
    expect(await total(rows)).toBe(999_000);
    const controller = new AbortController();
    const reason = new Error('the user has left');
    setTimeout(() => controller.abort(reason), 1);
    function* endless() {
      for (;;) yield { price: 1, quantity: 1 };
    }
    await expect(total(endless(), controller.signal)).rejects.toBe(reason);
  });
});
