import { expect } from 'vitest';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);
const never = () => new Promise<never>(() => {});
const refusal = new Error('refused');
const hangUntilAborted = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** What the pool takes as a sign that a server, or a connection, works or does not. */
export const evidence = [
  claim(
    'P14: a lease that ended with an error proves nothing: the connection is validated before its next lease',
    async (open) => {
      let asked = 0;
      const world = open({
        validateAfterIdleMs: 100,
        hooks: { validate: () => ++asked > 0, isReusable: () => true },
      });
      const failed = await world.lease();
      await world.advance(150);
      failed.release(refusal);
      const next = await world.lease();
      expect([next.connection.id, asked]).toEqual([1, 1]);
      next.release();
    },
  ),

  claim('P18: a lease from before reset() that ends well does not end the backoff', async (open) => {
    const world = open({ connect: ({ id }) => (id === 2 ? Promise.reject(refusal) : undefined) });
    const old = await world.lease();
    await world.advance(100);
    world.pool.reset('a');
    expect(await world.lease().catch((error) => error)).toMatchObject({ cause: refusal });
    const waiter = world.acquire();
    await world.settle();
    old.release();
    await world.settle();
    expect([waiter.state, world.dials, world.pool.stats('a')?.failures]).toEqual(['pending', 2, 1]);
    await world.advance(50);
    expect(waiter.value?.connection.id).toBe(3);
    waiter.value?.release();
  }),

  claim('a dial that fails after its server has answered starts no backoff', async (open) => {
    const world = open({
      connect: ({ id }) => (id === 2 ? world.time.sleep(20).then(() => Promise.reject(refusal)) : undefined),
    });
    const first = await world.lease();
    await world.advance(1);
    const second = world.acquire();
    await world.advance(5);
    first.release();
    await world.advance(15);
    expect(world.events.at(-1)).toMatchObject({ type: 'connectFailed', error: refusal, retryInMs: 0 });
    const third = world.acquire();
    await world.settle();
    expect([second.value?.connection.id, third.value?.connection.id]).toEqual([1, 3]);
    second.value?.release();
    third.value?.release();
  }),

  claim('after failures a connection that arrives shortens the backoff to 50 ms', async (open) => {
    const world = open({ connect: ({ id }) => (id <= 4 ? Promise.reject(refusal) : undefined) });
    for (const _ of times(4)) {
      world.acquire();
      await world.advance(1_000);
    }
    const first = world.acquire();
    await world.settle();
    const second = world.acquire();
    await world.advance(49);
    expect(second.state).toBe('pending');
    await world.advance(1);
    expect(second.state).toBe('fulfilled');
    first.value?.release();
    second.value?.release();
  }),

  claim(
    'P18: a connection that served is a failed dial for the backoff when it is lost sooner than the last backoff took',
    async (open) => {
      const world = open({ connect: ({ id }) => (id <= 5 ? Promise.reject(refusal) : undefined) });
      for (const _ of times(5)) {
        world.acquire();
        await world.advance(1_000);
      }
      const lease = await world.lease();
      await world.advance(10);
      lease.release();
      await world.advance(90);
      world.connections[0]?.context.lost(refusal);
      await world.settle();
      const told = world.events.at(-1);
      expect(told).toMatchObject({ type: 'close', reason: 'lost', retryInMs: expect.any(Number) });
    },
  ),

  claim(
    'P15: a loss takes back the answers before it: no connection is closed for a key that has a dial under way',
    async (open) => {
      const world = open({
        max: 3,
        connect: ({ id, context }) => (id === 2 ? hangUntilAborted(context.signal) : undefined),
      });
      const first = await world.lease();
      await world.advance(10);
      const second = world.acquire();
      await world.advance(100);
      first.release();
      await world.settle();
      second.value?.release();
      world.connections[0]?.context.lost(refusal);
      await world.settle();
      for (const key of ['b', 'c']) (await world.lease(key)).release();
      world.acquire();
      world.acquire();
      await world.advance(200);
      expect(world.stats).toMatchObject({ connecting: 1, idle: 2, evicted: 0 });
    },
  ),

  claim(
    'when a check fails a waiter is dialled for at once: siblings that are being checked are not counted on',
    async (open) => {
      const world = open({
        validateAfterIdleMs: 100,
        validateTimeoutMs: 1_000,
        hooks: { validate: ({ id }) => (id > 5 ? true : never()) },
      });
      const leases = times(5).map(() => world.acquire());
      await world.advance(60);
      for (const { value } of leases) value?.release();
      await world.advance(200);
      const waiter = world.acquire();
      await world.advance(1_000);
      expect([waiter.state, world.stats.validating, world.dials]).toEqual(['pending', 4, 6]);
      await world.advance(10);
      expect(waiter.value?.connection.id).toBe(6);
      waiter.value?.release();
    },
  ),

  claim('the dials after reset(key) get the key object that it was given', async (open) => {
    const world = open({ hooks: { keyId: (key: string) => key.toLowerCase() } });
    const waiter = world.acquire('A');
    await world.advance(5);
    world.pool.reset('a');
    await world.advance(10);
    expect([waiter.state, world.dialled]).toEqual(['fulfilled', ['A', 'a']]);
    waiter.value?.release();
  }),

  claim(
    'reset() forgets the failures of a key that has no slot and no waiter, with the key or without',
    async (open) => {
      let isDown = true;
      const world = open({ connect: () => (isDown ? Promise.reject(refusal) : undefined) });
      world.acquire('a');
      world.acquire('b');
      await world.settle();
      expect(world.stats.keys).toBe(0);
      isDown = false;
      world.pool.reset('a');
      const callers = [world.acquire('a'), world.acquire('b')];
      await world.settle();
      expect(callers.map(({ state }) => state)).toEqual(['fulfilled', 'pending']);
      isDown = true;
      world.acquire('c');
      await world.settle();
      isDown = false;
      world.pool.reset();
      callers.push(world.acquire('c'));
      await world.settle();
      expect(callers.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
      for (const { value } of callers) value?.release();
    },
  ),

  claim('P15: after reset() a key that failed may take an idle connection of another key', async (open) => {
    const world = open({
      max: 2,
      connect: ({ id }) => (id === 1 ? Promise.reject(refusal) : undefined),
    });
    world.acquire('a');
    await world.settle();
    for (const key of ['b', 'c']) (await world.lease(key)).release();
    const waiter = world.acquire('a');
    await world.advance(100);
    expect([waiter.state, world.stats.evicted]).toEqual(['pending', 0]);
    world.pool.reset('a');
    await world.settle();
    expect([waiter.state, world.stats.evicted]).toEqual(['fulfilled', 1]);
    waiter.value?.release();
  }),
];
