import { expect } from 'vitest';
import { claim } from './claim.js';

const refusal = new Error('refused');

/** Connections that `minIdle` keeps ready. */
export const keepingReady = [
  claim('an idle connection that is leased at once is replaced, so that minIdle are ready', async (open) => {
    const world = open({ minIdle: 1 });
    const first = await world.lease();
    await world.advance(10);
    const second = world.acquire();
    await world.settle();
    expect([second.state, world.stats.connecting, world.dials]).toEqual(['fulfilled', 1, 3]);
    first.release();
    second.value?.release();
  }),

  claim(
    'a connection that minIdle keeps is validated every keepAliveMs, and leased, beyond its idleTimeoutMs',
    async (open) => {
      const asked: number[] = [];
      const world = open({
        connect: 0,
        minIdle: 1,
        idleTimeoutMs: 1_000,
        keepAliveMs: 400,
        validateAfterIdleMs: 500,
        hooks: { validate: ({ id }) => asked.push(id) > 0 },
      });
      let busy = await world.lease();
      await world.advance(900);
      // The other connection stays idle; the key is in use.
      busy.release();
      busy = await world.lease();
      await world.advance(600);
      expect([busy.connection.id, asked, world.connections[1]?.closedFor]).toEqual([1, [2, 2, 2], undefined]);
      const other = world.acquire();
      await world.settle();
      expect(other.value?.connection.id).toBe(2);
      busy.release();
      other.value?.release();
    },
  ),

  claim(
    'P18: while a key fails minIdle starts one dial per backoff, and keeps no process alive for it',
    async (open) => {
      const world = open({
        minIdle: 3,
        waitTimeoutMs: Infinity,
        connect: ({ id }) => (id === 1 ? undefined : Promise.reject(refusal)),
      });
      const lease = await world.lease();
      expect([world.dials, world.time.foreground]).toEqual([4, 0]);
      await world.advance(50);
      expect([world.dials, world.time.foreground]).toEqual([5, 0]);
      lease.release();
    },
  ),

  claim('a slot that comes free goes to a waiter before minIdle takes it', async (open) => {
    const world = open({ max: 3, minIdle: 2, close: 5 });
    const lease = await world.lease('a');
    await world.advance(10);
    const waiter = world.acquire('b');
    await world.advance(15);
    expect([waiter.state, world.dialled]).toEqual(['fulfilled', ['a', 'a', 'a', 'b']]);
    lease.release();
    waiter.value?.release();
  }),

  claim('a shared connection that was dialled for minIdle is no duplicate', async (open) => {
    const world = open({ leasesPerConnection: 2, minIdle: 1 });
    const lease = await world.lease();
    await world.advance(100);
    expect([world.stats.idle, world.dials]).toEqual([1, 2]);
    lease.release();
  }),
];
