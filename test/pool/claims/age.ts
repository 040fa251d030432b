import { expect } from 'vitest';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);
const never = () => new Promise<never>(() => {});

export const age = [
  claim('a connection is validated only after validateAfterIdleMs without use', async (open) => {
    let asked = 0;
    const world = open({ validateAfterIdleMs: 100, hooks: { validate: () => ++asked > 0 } });
    (await world.lease()).release();
    await world.advance(99);
    (await world.lease()).release();
    expect(asked).toBe(0);
    await world.advance(100);
    (await world.lease()).release();
    expect(asked).toBe(1);
  }),

  claim(
    'a connection that fails its validation in any way is replaced, and no slot is lost (T32)',
    async (open) => {
      const behaviours = [
        () => false,
        () => Promise.reject(new Error('no')),
        () => {
          throw new Error('no');
        },
        never,
      ];
      const world = open({
        max: 1,
        validateAfterIdleMs: 1,
        validateTimeoutMs: 50,
        hooks: { validate: ({ id }) => behaviours[id - 1]?.() ?? true },
      });
      (await world.lease()).release();
      for (const i of behaviours.keys()) {
        await world.advance(10);
        const waiter = world.acquire();
        await world.advance(100);
        expect(waiter.value?.connection.id).toBe(i + 2);
        expect(world.connections[i]?.closedFor).toBe('invalid');
        waiter.value?.release();
      }
    },
  ),

  claim('when every idle connection is invalid the caller gets a fresh one (T33)', async (open) => {
    const world = open({
      max: 10,
      maxConnecting: 10,
      validateAfterIdleMs: 1,
      hooks: { validate: ({ id }) => id > 10 },
    });
    const warm = times(10).map(() => world.acquire());
    await world.advance(10);
    for (const { value } of warm) value?.release();
    await world.advance(10);
    const waiter = world.acquire();
    await world.advance(100);
    expect(waiter.value?.connection.id).toBe(11);
    waiter.value?.release();
  }),

  claim(
    'a waiter does not wait for a slow validation when another connection comes back first (T34)',
    async (open) => {
      const world = open({
        max: 2,
        validateAfterIdleMs: 10,
        validateTimeoutMs: 10_000,
        hooks: { validate: never },
      });
      const [first, second] = [world.acquire(), world.acquire()];
      await world.advance(10);
      second.value?.release();
      await world.advance(10);
      const waiter = world.acquire();
      await world.settle();
      expect([waiter.state, world.stats.validating]).toEqual(['pending', 1]);
      first.value?.release();
      await world.settle();
      expect(waiter.value?.connection.id).toBe(1);
      waiter.value?.release();
    },
  ),

  claim('isAlive is asked at every acquire, and a dead connection is replaced', async (open) => {
    const dead = new Set<number>();
    const world = open({ hooks: { isAlive: ({ id }) => !dead.has(id) } });
    (await world.lease()).release();
    dead.add(1);
    const lease = await world.lease();
    expect(lease.connection.id).toBe(2);
    expect(world.connections[0]?.closedFor).toBe('lost');
    lease.release();
  }),

  claim('a connection past its lifetime is closed when its lease ends, not before (T35)', async (open) => {
    const world = open({ maxLifetimeMs: 1_000 });
    const lease = await world.lease();
    await world.advance(5_000);
    expect([world.connections[0]?.closes, lease.signal.aborted]).toEqual([0, false]);
    lease.release();
    await world.settle();
    expect(world.connections[0]?.closedFor).toBe('lifetime');
  }),

  claim('an idle connection past its lifetime is closed without an acquire', async (open) => {
    const world = open({ maxLifetimeMs: 1_000, idleTimeoutMs: Infinity });
    (await world.lease()).release();
    expect(world.time.foreground).toBe(0);
    await world.advance(1_000);
    expect([world.connections[0]?.closedFor, world.stats.keys]).toEqual(['lifetime', 0]);
  }),

  claim('a connection serves once even when maxLifetimeMs is 0', async (open) => {
    const world = open({ max: 1, connect: 0, maxLifetimeMs: 0 });
    for (const i of times(3)) {
      const lease = await world.lease();
      expect(lease.connection.id).toBe(i + 1);
      lease.release();
      await world.settle();
      expect(world.connections[i]?.closedFor).toBe('lifetime');
    }
  }),

  claim('connections opened together expire spread over a tenth of their lifetime (T36)', async (open) => {
    const world = open({
      max: 50,
      maxConnecting: 50,
      connect: 0,
      maxLifetimeMs: 100_000,
      idleTimeoutMs: Infinity,
    });
    const warm = times(50).map(() => world.acquire());
    await world.advance(0);
    for (const { value } of warm) value?.release();
    await world.advance(89_999);
    expect(world.stats.idle).toBe(50);
    await world.advance(5_000);
    expect(world.stats.idle).toBeGreaterThan(5);
    expect(world.stats.idle).toBeLessThan(45);
    await world.advance(5_001);
    expect(world.stats.idle).toBe(0);
  }),

  claim('an idle connection closes after idleTimeoutMs, and its key is forgotten', async (open) => {
    const world = open({ idleTimeoutMs: 1_000 });
    const [a, b] = [await world.lease('a'), await world.lease('b')];
    a.release();
    await world.advance(500);
    b.release();
    await world.advance(500);
    expect(world.connections.map(({ closedFor }) => closedFor)).toEqual(['idle', undefined]);
    await world.advance(500);
    expect(world.stats).toMatchObject({ total: 0, keys: 0 });
    expect(world.time.armed).toBe(0);
  }),

  claim('idleTimeoutMs 0 keeps no idle connection', async (open) => {
    const world = open({ idleTimeoutMs: 0 });
    (await world.lease()).release();
    await world.advance(0);
    expect(world.stats.total).toBe(0);
  }),

  claim(
    'reset() closes idle connections now, leased ones later, and replaces dials under way (T37)',
    async (open) => {
      const world = open();
      const [idle, leased] = [await world.lease('a'), await world.lease('a')];
      idle.release();
      const dialling = world.acquire('b');
      await world.advance(5);
      world.pool.reset();
      await world.settle();
      expect(world.connections.map(({ closedFor }) => closedFor)).toEqual(['reset', undefined]);
      expect(leased.signal.aborted).toBe(false);
      leased.release();
      await world.advance(5);
      expect(world.connections.map(({ closedFor }) => closedFor)).toEqual(['reset', 'reset', 'reset']);
      await world.advance(10);
      expect(dialling.value?.connection.id).toBe(4);
      dialling.value?.release();
    },
  ),

  claim('a connection that was being dialled when reset() came is never leased', async (open) => {
    const world = open({ max: 1, connect: 10 });
    const waiter = world.acquire();
    await world.advance(5);
    world.pool.reset('a');
    await world.advance(5);
    expect([waiter.state, world.connections[0]?.closedFor]).toEqual(['pending', 'reset']);
    await world.advance(10);
    expect(waiter.value?.connection.id).toBe(2);
    waiter.value?.release();
  }),

  claim('reset(key) leaves other keys alone', async (open) => {
    const world = open();
    (await world.lease('a')).release();
    (await world.lease('b')).release();
    world.pool.reset('a');
    world.pool.reset('unknown');
    await world.settle();
    expect(world.connections.map(({ closedFor }) => closedFor)).toEqual(['reset', undefined]);
  }),
];
