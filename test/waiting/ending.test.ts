import { describe, expect, test, vi } from 'vitest';
import { Ending } from '../../src/waiting/ending.js';
import { PlaceQueue } from '../../src/waiting/place-queue.js';

const lock = {
  describe: (waitedMs: number) => ({ waitedMs, held: 1, waiting: 0, limit: 1 }),
  onLeave() {},
};

describe('ending', () => {
  /** How often queues are asked for something, until all callers of `idle()` have their answer. */
  async function steps(callers: number): Promise<number> {
    const spies = [
      vi.spyOn(PlaceQueue.prototype, 'push'),
      vi.spyOn(PlaceQueue.prototype, 'items'),
      vi.spyOn(PlaceQueue.prototype, 'head', 'get'),
    ];
    const ending = new Ending('the lock', lock);
    const idle = Promise.all(Array.from({ length: callers }, () => ending.idle(false, undefined)));
    ending.onFree();
    await idle;
    const total = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    for (const spy of spies) spy.mockRestore();
    return total;
  }

  test('EN2: every caller of idle() gets its answer, and takes as many steps as the one before', async () => {
    const [some, twice, thrice] = [await steps(1_000), await steps(2_000), await steps(3_000)];
    expect(thrice - twice).toBe(twice - some);
    expect(some).toBeLessThan(10 * 1_000);
  });

  test('EN2: after close() idle() still resolves with the last release', async () => {
    const ending = new Ending('the lock', lock);
    ending.close();
    const idle = ending.idle(false, undefined);
    ending.onFree();
    await idle;
  });
});
