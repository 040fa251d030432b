import { expect } from 'vitest';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);

export const dialling = [
  claim('100 keys are dialled side by side: 10 ms of connect take 10 ms (T1)', async (open) => {
    const world = open({ max: 100, connect: 10 });
    const served = times(100).map((i) => world.acquire(`host-${i}`));
    await world.advance(10);
    expect(served.every(({ state }) => state === 'fulfilled')).toBe(true);
    expect([world.dials, world.peak]).toEqual([100, 100]);
    for (const { value } of served) value?.release();
  }),

  claim(
    '100 keys through 50 slots take two rounds, and evict one idle connection each (T2)',
    async (open) => {
      const world = open({ max: 50, connect: 10 });
      let served = 0;
      for (const i of times(100)) {
        world.pool.use(`host-${i}`, () => {
          served++;
        });
      }
      await world.advance(10);
      expect(served).toBe(50);
      await world.advance(10);
      expect([served, world.peak, world.stats.evicted]).toEqual([100, 50, 50]);
    },
  ),

  claim('a cold shared key is dialled once for 100 callers (T3)', async (open) => {
    const world = open({ leasesPerConnection: Infinity });
    const served = times(100).map(() => world.acquire());
    await world.advance(10);
    expect(served.every(({ state }) => state === 'fulfilled')).toBe(true);
    expect(world.dials).toBe(1);
    for (const { value } of served) value?.release();
  }),

  claim(
    '100 callers of one key start maxConnecting dials, and share their connections (T4)',
    async (open) => {
      const world = open({ max: 50, maxConnecting: 10 });
      let served = 0;
      for (const _ of times(100)) {
        world.pool.use('a', async () => {
          await world.time.sleep(5);
          served++;
        });
      }
      await world.advance(0);
      expect(world.stats.connecting).toBe(10);
      await world.advance(200);
      expect(served).toBe(100);
      expect(world.dials).toBeLessThanOrEqual(50);
    },
  ),

  claim('a warm key is never dialled again (T5)', async (open) => {
    const world = open();
    for (const _ of times(100)) (await world.lease()).release();
    expect(world.dials).toBe(1);
  }),

  claim('a spike is served by the warm connections, not by dials that come too late (T6)', async (open) => {
    const world = open({ max: 50, connect: 150 });
    const warm = times(5).map(() => world.acquire());
    await world.advance(150);
    for (const { value } of warm) value?.release();
    let served = 0;
    for (const _ of times(50)) {
      world.pool.use('a', async () => {
        await world.time.sleep(2);
        served++;
      });
    }
    await world.advance(21);
    expect(served).toBe(50);
    expect(world.dials - 5).toBeLessThanOrEqual(10);
  }),

  claim(
    'a waiter takes a connection that comes back before its dial ends; the new connection stays idle (T7)',
    async (open) => {
      const world = open({ connect: 500 });
      const first = world.acquire();
      await world.advance(500);
      const second = world.acquire();
      await world.advance(20);
      expect([second.state, world.dials]).toEqual(['pending', 2]);
      first.value?.release();
      await world.settle();
      expect(second.value?.connection.id).toBe(1);
      await world.advance(480);
      expect(world.stats).toMatchObject({ idle: 1, leased: 1 });
      second.value?.release();
    },
  ),

  claim('P8: dials never exceed the waiters that nothing under way will serve', async (open) => {
    const world = open({ leasesPerConnection: 3, connect: 10 });
    const served = times(7).map(() => world.acquire());
    await world.settle();
    expect(world.stats.connecting).toBe(3);
    await world.advance(10);
    expect(served.every(({ state }) => state === 'fulfilled')).toBe(true);
    for (const { value } of served) value?.release();
    expect(world.dials).toBe(3);
  }),

  claim('a key never has more than maxPerKey connections, however much room there is (T23)', async (open) => {
    const world = open({ max: 10, maxPerKey: 2 });
    const served = times(5).map(() => world.acquire());
    await world.advance(100);
    expect([world.dials, world.stats.leased, world.stats.waiting]).toEqual([2, 2, 3]);
    for (const outcome of served) {
      outcome.value?.release();
      await world.settle();
    }
  }),

  claim('shared connections: 25 callers at 10 leases each make 3 connections (T46)', async (open) => {
    const world = open({ leasesPerConnection: 10 });
    const served = times(25).map(() => world.acquire());
    await world.advance(10);
    expect(world.dials).toBe(3);
    const loads = world.connections.map(
      ({ id }) => served.filter(({ value }) => value?.connection.id === id).length,
    );
    expect(loads.sort()).toEqual([10, 10, 5]);
    for (const { value } of served) value?.release();
  }),

  claim('a second shared connection without a waiter is closed, and the first one kept', async (open) => {
    const world = open({ leasesPerConnection: 2, connect: ({ id }) => world.time.sleep(id * 10) });
    const served = times(3).map(() => world.acquire());
    await world.advance(10);
    served[0]?.value?.release();
    await world.settle();
    served[2]?.value?.release();
    await world.advance(10);
    expect(world.stats.total).toBe(1);
    expect(world.connections[1]?.closedFor).toBe('duplicate');
    served[1]?.value?.release();
  }),

  claim('beyond maxWaiting a caller is refused at once, with no effect (T45)', async (open) => {
    const world = open({ max: 1, maxWaiting: 2 });
    const holder = await world.lease();
    const waiters = [world.acquire(), world.acquire('b')];
    const refused = world.acquire('c');
    await world.settle();
    expect(refused.reason).toMatchObject({ code: 'ERR_QUEUE_FULL', key: 'c', held: 1, waiting: 2, limit: 1 });
    expect(world.stats).toMatchObject({ waiting: 2, keys: 2 });
    holder.release();
    await world.advance(200);
    for (const { value } of waiters) value?.release();
    await world.advance(200);
    for (const { value } of waiters) value?.release();
  }),

  claim('keyId makes one key of many objects', async (open) => {
    const world = open({ hooks: { keyId: (key: string) => key.toLowerCase() } });
    (await world.lease('A')).release();
    (await world.lease('a')).release();
    expect([world.dials, world.stats.keys]).toEqual([1, 1]);
  }),
];
