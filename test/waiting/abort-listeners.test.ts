import { getEventListeners } from 'node:events';
import { Mutex } from 'latchkey';
import { describe, expect, test } from 'vitest';
import { onAbort } from '../../src/waiting/abort-listeners.js';

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('abort listeners', () => {
  test('AL1: a signal has our listener exactly while a caller waits on it', () => {
    const { signal } = new AbortController();
    const subscriptions = Array.from({ length: 100 }, () => onAbort(signal, { onAbort() {} }));
    expect(listeners(signal)).toBe(1);
    for (const subscription of subscriptions.slice(1)) subscription.leave();
    expect(listeners(signal)).toBe(1);
    subscriptions[0]?.leave();
    expect(listeners(signal)).toBe(0);
    const again = onAbort(signal, { onAbort() {} });
    expect(listeners(signal)).toBe(1);
    again.leave();
    expect(listeners(signal)).toBe(0);
  });

  test('AL4: a signal that aborts while it is listened to is not missed', async () => {
    const reason = new Error('gone');
    const signal = {
      aborted: false,
      reason,
      addEventListener(_type: string, listener: () => void) {
        signal.aborted = true;
        listener();
      },
      removeEventListener() {},
    };
    const mutex = new Mutex();
    const permit = await mutex.acquire();
    await expect(mutex.acquire({ signal: signal as unknown as AbortSignal })).rejects.toBe(reason);
    expect(mutex.waiting).toBe(0);
    permit.release();
  });

  test('each target is called once, in the order in which they came, with the reason itself', () => {
    const controller = new AbortController();
    const told: [number, unknown][] = [];
    for (const i of [1, 2, 3]) onAbort(controller.signal, { onAbort: (reason) => told.push([i, reason]) });
    const reason = {};
    controller.abort(reason);
    expect(told).toEqual([
      [1, reason],
      [2, reason],
      [3, reason],
    ]);
    expect(told[0]?.[1]).toBe(reason);
    controller.signal.dispatchEvent(new Event('abort'));
    expect([told.length, listeners(controller.signal)]).toEqual([3, 0]);
  });

  test('a target that left is not called, even if another target makes it leave during the abort', () => {
    const controller = new AbortController();
    const told: string[] = [];
    onAbort(controller.signal, { onAbort: () => told.push('before') }).leave();
    onAbort(controller.signal, {
      onAbort() {
        told.push('first');
        second.leave();
      },
    });
    const second = onAbort(controller.signal, { onAbort: () => told.push('second') });
    onAbort(controller.signal, { onAbort: () => told.push('third') });
    controller.abort();
    expect(told).toEqual(['first', 'third']);
  });

  test('leaving twice, or after the abort, removes no other target', () => {
    const controller = new AbortController();
    const first = onAbort(controller.signal, { onAbort() {} });
    let told = 0;
    onAbort(controller.signal, { onAbort: () => told++ });
    first.leave();
    first.leave();
    controller.abort();
    first.leave();
    expect(told).toBe(1);
  });

  test('an abort of one signal does not reach targets of another', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    let told = 0;
    onAbort(one.signal, { onAbort: () => told++ });
    const subscription = onAbort(other.signal, { onAbort: () => told++ });
    one.abort();
    expect([told, listeners(other.signal)]).toEqual([1, 1]);
    subscription.leave();
  });
});
