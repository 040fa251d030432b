/** The one place where callers wait. What each primitive makes of it is tested in conformance.test.ts. */
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { WaitDetails } from '../../src/contract/errors.js';
import { Link, LinkedList } from '../../src/waiting/linked-list.js';
import { WaitQueue } from '../../src/waiting/wait-queue.js';
import { waitSettings } from '../../src/waiting/wait-settings.js';
import type { QueueOwner } from '../../src/waiting/waiter.js';
import { drained, watch } from '../support/lock-likes.js';

class Owner implements QueueOwner {
  readonly left: string[] = [];
  readonly queue = new WaitQueue<string>(this);

  describe(waitedMs: number): WaitDetails {
    return { waitedMs, held: 1, waiting: this.queue.size, limit: 1 };
  }

  onLeave(why: 'aborted' | 'timedOut'): void {
    this.left.push(`${why}, ${this.queue.size} left`);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

describe('wait queue', () => {
  test('W1: grants first come, first served, promises and callbacks alike', async () => {
    const { queue } = new Owner();
    const granted: string[] = [];
    queue.wait(waitSettings(undefined)).then((value) => granted.push(`first ${value}`));
    queue.join((value) => granted.push(`second ${value}`));
    queue.wait(waitSettings(undefined)).then((value) => granted.push(`third ${value}`));
    for (const value of ['a', 'b', 'c', 'd']) {
      queue.grant(value);
      await drained();
    }
    expect(granted).toEqual(['first a', 'second b', 'third c']);
    expect([queue.size, queue.head]).toEqual([0, undefined]);
  });

  type End = 'granted' | 'aborted' | 'timed out' | 'refused';
  const ends: End[] = ['granted', 'aborted', 'timed out', 'refused'];
  const pairs = ends.flatMap((first) => ends.map((second) => [first, second] as const));
  test.each(pairs)(
    'W2: a wait that is %s, and then %s in the same turn, ends as it ended first',
    async (first, second) => {
      const owner = new Owner();
      const controller = new AbortController();
      const wait = watch(owner.queue.wait(waitSettings({ signal: controller.signal, waitTimeoutMs: 10 })));
      const happen = {
        granted: () => owner.queue.grant('granted'),
        aborted: () => controller.abort('aborted'),
        'timed out': () => vi.advanceTimersByTime(10),
        refused: () => owner.queue.refuseAll(() => new Error('refused')),
      };
      happen[first]();
      happen[second]();
      await drained();
      expect(wait.times).toBe(1);
      const told = wait.value ?? (wait.reason instanceof Error ? wait.reason.message : wait.reason);
      expect(told).toMatch(first === 'timed out' ? /^gave up/ : first);
      expect(owner.left).toHaveLength(first === 'aborted' || first === 'timed out' ? 1 : 0);
      expect([owner.queue.size, getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
    },
  );

  test('W3: the owner is called for each waiter that left, after it has left', () => {
    const owner = new Owner();
    const controller = new AbortController();
    watch(owner.queue.wait(waitSettings({ signal: controller.signal })));
    watch(owner.queue.wait(waitSettings({ waitTimeoutMs: 10 })));
    watch(owner.queue.wait(waitSettings({ waitTimeoutMs: 10 })));
    controller.abort();
    vi.advanceTimersByTime(10);
    expect(owner.left).toEqual(['aborted, 2 left', 'timedOut, 1 left', 'timedOut, 0 left']);
  });

  test('a signal whose addEventListener throws ends the wait with that error, as an abort does', async () => {
    const owner = new Owner();
    const bug = new Error('no listeners, please');
    const addEventListener = () => {
      throw bug;
    };
    const signal = { aborted: false, addEventListener } as unknown as AbortSignal;
    const wait = watch(owner.queue.wait(waitSettings({ signal })));
    await drained();
    expect([wait.state, wait.reason, owner.queue.size]).toEqual(['rejected', bug, 0]);
    expect(owner.left).toEqual(['aborted, 0 left']);
  });

  test('each refused waiter gets an error of its own', async () => {
    const { queue } = new Owner();
    const waits = [{}, {}, { waitTimeoutMs: 10 }].map((options) => watch(queue.wait(waitSettings(options))));
    queue.refuseAll(() => new Error('closed'));
    await drained();
    expect(waits.map(({ reason }) => (reason as Error).message)).toEqual(['closed', 'closed', 'closed']);
    expect(new Set(waits.map(({ reason }) => reason)).size).toBe(3);
  });

  test('a grant takes one microtask without a timeout, two with one', async () => {
    const { queue } = new Owner();
    const forEver = watch(queue.wait(waitSettings(undefined)));
    const atMost = watch(queue.wait(waitSettings({ waitTimeoutMs: 10 })));
    queue.grant('a');
    queue.grant('b');
    await undefined;
    expect([forEver.state, atMost.state]).toEqual(['fulfilled', 'pending']);
    await undefined;
    expect(atMost.state).toBe('fulfilled');
  });

  test('the error of a timeout has a cause only if the owner gives one', async () => {
    const owner = new Owner();
    const plain = watch(owner.queue.wait(waitSettings({ waitTimeoutMs: 10 })));
    vi.advanceTimersByTime(10);
    await drained();
    expect(Object.hasOwn(plain.reason as Error, 'cause')).toBe(false);
    const cause = new Error('the backend is down');
    const explained = watch(
      new WaitQueue({
        describe: (waitedMs) => owner.describe(waitedMs),
        onLeave() {},
        cause: () => ({ cause }),
      }).wait(waitSettings({ waitTimeoutMs: 10 })),
    );
    vi.advanceTimersByTime(10);
    await drained();
    expect((explained.reason as Error).cause).toBe(cause);
  });

  test('an entry that joined with a callback leaves without a call of the callback or the owner', () => {
    const owner = new Owner();
    const onGrant = vi.fn();
    const place = owner.queue.join(onGrant);
    expect([place.leave(), place.leave()]).toEqual([true, false]);
    owner.queue.grant('a');
    owner.queue.refuseAll(() => new Error('closed'));
    expect(onGrant).not.toHaveBeenCalled();
    expect(owner.left).toEqual([]);
  });
});

describe('the cost of a wait does not depend on the number of waiters', () => {
  /** How many steps lists and signals take for `count` waiters from their coming to their end. */
  async function steps(
    count: number,
    end: (owner: Owner, controller: AbortController) => void,
  ): Promise<number> {
    const controller = new AbortController();
    const spies = [
      vi.spyOn(LinkedList.prototype, 'push'),
      vi.spyOn(Link.prototype, 'leave'),
      vi.spyOn(controller.signal, 'addEventListener'),
      vi.spyOn(controller.signal, 'removeEventListener'),
    ];
    const owner = new Owner();
    const settings = waitSettings({ signal: controller.signal, waitTimeoutMs: 10 });
    const waits = Array.from({ length: count }, () => owner.queue.wait(settings).catch(() => {}));
    expect([getEventListeners(controller.signal, 'abort').length, vi.getTimerCount()]).toEqual([1, 1]);
    end(owner, controller);
    await Promise.all(waits);
    expect([getEventListeners(controller.signal, 'abort').length, owner.queue.size]).toEqual([0, 0]);
    const total = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    for (const spy of spies) spy.mockRestore();
    return total;
  }

  test.each<[string, (owner: Owner, controller: AbortController) => void]>([
    ['an abort', (_owner, controller) => controller.abort()],
    ['a timeout', () => vi.advanceTimersByTime(10)],
    ['a refusal', ({ queue }) => queue.refuseAll(() => new Error('closed'))],
    [
      'grants',
      ({ queue }) => {
        while (queue.size > 0) queue.grant('granted');
      },
    ],
  ])(
    'ended by %s, each waiter takes as many steps as the one before, and fewer than ten',
    async (_what, end) => {
      const [some, twice, thrice] = [
        await steps(1_000, end),
        await steps(2_000, end),
        await steps(3_000, end),
      ];
      expect(thrice - twice).toBe(twice - some);
      expect(some).toBeLessThan(10 * 1_000);
    },
  );
});
