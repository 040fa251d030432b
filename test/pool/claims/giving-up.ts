import { getEventListeners } from 'node:events';
import { expect } from 'vitest';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);

export const givingUp = [
  claim('an abort during the dial rejects at once and wastes no dial (T14)', async (open) => {
    const world = open({ connect: 100 });
    const controller = new AbortController();
    const waiter = world.acquire('a', { signal: controller.signal });
    await world.advance(50);
    controller.abort('enough');
    await world.settle();
    expect(waiter.reason).toBe('enough');
    await world.advance(50);
    expect(world.stats).toMatchObject({ idle: 1, aborted: 1 });
    expect(world.events.map(({ type }) => type)).toEqual(['connect']);
    const next = world.acquire();
    await world.settle();
    expect([next.state, world.dials]).toEqual(['fulfilled', 1]);
    next.value?.release();
  }),

  claim(
    'when the first of ten callers of a shared dial gives up, the other nine get it (T15)',
    async (open) => {
      const world = open({ leasesPerConnection: 10 });
      const controller = new AbortController();
      const first = world.acquire('a', { signal: controller.signal });
      const others = times(9).map(() => world.acquire());
      controller.abort();
      await world.advance(10);
      expect(first.state).toBe('rejected');
      expect(others.every(({ state }) => state === 'fulfilled')).toBe(true);
      expect(world.dials).toBe(1);
      for (const { value } of others) value?.release();
    },
  ),

  claim(
    'an abort in the turn of the delivery has exactly one outcome, and loses no lease (T16)',
    async (open) => {
      const world = open({ max: 1 });
      for (const abortFirst of [true, false]) {
        const holder = await world.lease();
        const controller = new AbortController();
        const waiter = world.acquire('a', { signal: controller.signal });
        if (abortFirst) controller.abort();
        holder.release();
        if (!abortFirst) controller.abort();
        await world.settle();
        expect(waiter.state).toBe(abortFirst ? 'rejected' : 'fulfilled');
        waiter.value?.release();
        expect(world.stats.idle).toBe(1);
      }
    },
  ),

  claim('an acquire with an aborted signal starts no dial (T17)', async (open) => {
    const world = open();
    const waiter = world.acquire('a', { signal: AbortSignal.abort('before') });
    await world.settle();
    expect([waiter.reason, world.dials, world.stats.keys]).toEqual(['before', 0, 0]);
  }),

  claim('100 callers share one listener on their signal, and leave none behind (T18)', async (open) => {
    const world = open({ max: 100, maxConnecting: 100 });
    const { signal } = new AbortController();
    const waiters = times(100).map(() => world.acquire('a', { signal }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await world.advance(10);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    for (const { value } of waiters) value?.release();
  }),

  claim('a key without waiters starts no new dial', async (open) => {
    const world = open({ max: 1 });
    const controller = new AbortController();
    const a = world.acquire('a');
    world.acquire('b', { signal: controller.signal });
    controller.abort();
    await world.advance(10);
    a.value?.release();
    await world.advance(10);
    expect(world.dialled).toEqual(['a']);
  }),

  claim('waitTimeoutMs of the call overrides that of the pool, Infinity included', async (open) => {
    const world = open({ max: 1, waitTimeoutMs: 100 });
    const holder = await world.lease();
    const waiters = [world.acquire(), world.acquire('a', { waitTimeoutMs: 50 })];
    const patient = world.acquire('a', { waitTimeoutMs: Infinity });
    await world.advance(50);
    expect(waiters.map(({ state }) => state)).toEqual(['pending', 'rejected']);
    await world.advance(50);
    expect(waiters.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
    await world.advance(1_000_000);
    expect([patient.state, world.stats.timedOut]).toEqual(['pending', 2]);
    holder.release();
    await world.settle();
    patient.value?.release();
  }),
];
