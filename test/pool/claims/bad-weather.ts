import { expect } from 'vitest';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);
const never = () => new Promise(() => {});
const refusal = new Error('refused');
const hangUntilAborted = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** Servers that hang, flap, lose sockets or change their passwords. */
export const badWeather = [
  claim('P15: no healthy idle connection is closed for keys whose dials hang', async (open) => {
    const world = open({
      max: 6,
      waitTimeoutMs: 500,
      connect: ({ key, context }) => (key === 'dead' ? hangUntilAborted(context.signal) : undefined),
    });
    for (const i of times(4)) (await world.lease(`live-${i}`)).release();
    for (const _ of times(10)) world.acquire('dead');
    await world.advance(3_000);
    expect(world.stats).toMatchObject({ evicted: 0, idle: 4 });
    for (const i of times(4)) (await world.lease(`live-${i}`)).release();
    expect(world.connections).toHaveLength(4);
  }),

  claim('P16: a dial without a waiter gives its slot to a starving key', async (open) => {
    const world = open({
      max: 10,
      connect: ({ key, context }) => (key === 'dead' ? hangUntilAborted(context.signal) : undefined),
    });
    for (const _ of times(10)) world.acquire('dead', { waitTimeoutMs: 200 });
    await world.advance(200);
    expect(world.stats).toMatchObject({ connecting: 10, waiting: 0 });
    const live = world.acquire('live');
    await world.settle();
    expect(live.state).toBe('fulfilled');
    live.value?.release();
  }),

  claim('P16: of dials that hang, a key keeps two while another key has none', async (open) => {
    const world = open({
      max: 4,
      connect: ({ key, context }) => (key === 'dead' ? hangUntilAborted(context.signal) : undefined),
    });
    for (const _ of times(10)) world.acquire('dead');
    await world.advance(150);
    const live = world.acquire('live');
    await world.advance(200);
    expect([live.state, world.stats.connecting >= 2]).toEqual(['fulfilled', true]);
    live.value?.release();
  }),

  claim(
    'P15: a host that answered before and hangs now takes one idle connection of the others, and gives it back',
    async (open) => {
      let isDark = false;
      const world = open({
        max: 8,
        connect: ({ key, context }) =>
          isDark && key === 'dark' ? hangUntilAborted(context.signal) : undefined,
      });
      const hung = [world.acquire('dark'), world.acquire('dark'), world.acquire('dark')];
      await world.settle();
      for (const i of times(5)) (await world.lease(`live-${i}`)).release();
      isDark = true;
      for (const _ of times(10)) {
        world.acquire('dark');
        await world.advance(5);
      }
      expect(world.stats).toMatchObject({ evicted: 1, idle: 4 });
      await world.advance(100);
      for (const i of times(5)) (await world.lease(`live-${i}`)).release();
      expect(world.stats).toMatchObject({ evicted: 1, idle: 5, leased: 3 });
      for (const { value } of hung) value?.release();
    },
  ),

  claim(
    'P16: a key that holds two leases keeps no dial that hangs while another key has none',
    async (open) => {
      const world = open({
        max: 4,
        connect: ({ key, id, context }) =>
          key === 'dark' && id > 2 ? hangUntilAborted(context.signal) : undefined,
      });
      const held = [await world.lease('dark'), await world.lease('dark')];
      for (const _ of times(5)) world.acquire('dark');
      await world.advance(150);
      const others = times(2).map((i) => world.acquire(`live-${i}`));
      await world.advance(20);
      expect([others.map(({ state }) => state), world.pool.stats('dark')?.connecting]).toEqual([
        ['fulfilled', 'fulfilled'],
        0,
      ]);
      for (const lease of [...held, ...others.map(({ value }) => value)]) lease?.release();
    },
  ),

  claim('a key without a dial gets a slot for a probe after 5 s, though its leases hang', async (open) => {
    let isDark = true;
    const world = open({
      max: 4,
      connect: ({ key, id, context }) =>
        isDark && key === 'dark' && id > 2 ? hangUntilAborted(context.signal) : undefined,
    });
    const held = [await world.lease('dark'), await world.lease('dark')];
    const waiter = world.acquire('dark');
    await world.advance(150);
    const users = times(2).map((i) => world.acquire(`live-${i}`));
    await world.advance(20);
    for (const { value } of users) value?.release();
    isDark = false;
    expect(waiter.state).toBe('pending');
    await world.advance(5_100);
    expect(waiter.state).toBe('fulfilled');
    for (const lease of [...held, waiter.value]) lease?.release();
  }),

  claim('a dial that ignores its signal delays a starving key by 100 ms at most', async (open) => {
    const world = open({ max: 4, connect: ({ key }) => (key === 'dark' ? never() : undefined) });
    (await world.lease('live-0')).release();
    for (const _ of times(5)) world.acquire('dark');
    await world.advance(150);
    const other = world.acquire('live-1');
    await world.advance(90);
    expect(other.state).toBe('pending');
    await world.advance(20);
    expect([other.state, world.stats.evicted]).toEqual(['fulfilled', 1]);
    other.value?.release();
  }),

  claim(
    'the slot of a taken dial that ignores its signal comes back after 1 s, or sooner by closeTimeoutMs',
    async (open) => {
      for (const [closeTimeoutMs, afterMs] of [
        [5_000, 1_000],
        [100, 100],
      ] as const) {
        const world = open({
          max: 1,
          closeTimeoutMs,
          connect: ({ key }) => (key === 'dark' ? never() : undefined),
        });
        world.acquire('dark', { waitTimeoutMs: 50 });
        await world.advance(60);
        const live = world.acquire('live');
        await world.advance(afterMs - 1);
        expect(live.state).toBe('pending');
        await world.advance(1);
        expect([live.state, world.stats.abandoned]).toEqual(['fulfilled', 1]);
        live.value?.release();
        await world.end();
      }
    },
  ),

  claim('P12: of 1,000 tenants, half of them down, no key and no timer is left', async (open) => {
    const world = open({
      idleTimeoutMs: 10,
      maxWaiting: 1_000,
      connect: ({ id }) => (id % 2 === 0 ? Promise.reject(refusal) : undefined),
    });
    const calls = times(1_000).map((i) => world.pool.use(`tenant-${i}`, () => {}));
    const settled = Promise.allSettled(calls);
    await world.advance(1_000);
    const failed = (await settled).filter(({ status }) => status === 'rejected').length;
    expect([failed, world.stats.keys, world.stats.total, world.time.armed]).toEqual([500, 0, 0, 0]);
  }),

  claim('a waiter gets the idle connection that passes its check, though a dial hangs', async (open) => {
    const world = open({
      max: 3,
      validateAfterIdleMs: 100,
      connect: ({ id }) => (id > 1 ? never() : undefined),
      connectTimeoutMs: 5_000,
      hooks: { validate: async () => true },
    });
    const first = await world.lease();
    const second = world.acquire('a', { waitTimeoutMs: 50 });
    await world.advance(60);
    expect(second.state).toBe('rejected');
    first.release();
    await world.advance(200);
    const waiter = world.acquire();
    await world.settle();
    expect(waiter.value?.connection.id).toBe(1);
    waiter.value?.release();
  }),

  claim('P17: a dial from before reset() rejects no waiter, and the new one starts at once', async (open) => {
    const world = open({
      connect: ({ id }) => (id === 1 ? world.time.sleep(50).then(() => Promise.reject(refusal)) : undefined),
    });
    const waiter = world.acquire();
    await world.advance(10);
    world.pool.reset();
    await world.settle();
    expect([waiter.state, world.dials]).toEqual(['fulfilled', 2]);
    await world.advance(100);
    expect(world.stats.connectFailed).toBe(0);
    waiter.value?.release();
  }),

  claim('P18: while a server is down, the backoff survives the callers', async (open) => {
    const world = open({ connect: () => Promise.reject(refusal) });
    for (const _ of times(40)) {
      for (const _ of times(20)) world.acquire('a', { waitTimeoutMs: 100 });
      await world.advance(250);
    }
    expect(world.dials).toBeLessThanOrEqual(25);
    expect(world.stats.keys).toBe(0);
  }),

  claim(
    'P18: a server that accepts and drops connections is dialled with a growing backoff',
    async (open) => {
      const world = open({
        connect: (connection) => {
          void world.time.sleep(1).then(() => connection.context.lost(refusal));
        },
      });
      const end = world.time.nowMs + 3_000;
      const callers = times(5).map(async () => {
        while (world.time.nowMs < end) {
          await world.pool.use('a', () => world.time.sleep(2), { waitTimeoutMs: 100 }).catch(() => {});
        }
      });
      await world.advance(3_200);
      await Promise.all(callers);
      expect(world.dials).toBeLessThanOrEqual(20);
    },
  ),

  claim('P7: a lease that ends well ends the backoff, and waiters are dialled for at once', async (open) => {
    const world = open({
      max: 3,
      leasesPerConnection: 2,
      connect: ({ id }) => (id === 2 ? Promise.reject(refusal) : undefined),
    });
    const holders = [await world.lease(), await world.lease()];
    holders[0]?.connection.context.capacity(1);
    await world.advance(100);
    const waiter = world.acquire();
    await world.settle();
    expect([waiter.state, world.pool.stats('a')?.failures]).toEqual(['pending', 1]);
    holders[0]?.release();
    await world.settle();
    expect(waiter.value?.connection.id).toBe(3);
    holders[1]?.release();
    waiter.value?.release();
  }),

  claim('a probe that hangs does not bar the next: the first to arrive wins', async (open) => {
    const world = open({
      connect: ({ id }) => (id === 1 ? Promise.reject(refusal) : id === 2 ? never() : undefined),
    });
    world.acquire();
    await world.advance(60);
    const waiter = world.acquire();
    await world.advance(400);
    expect([waiter.value?.connection.id, world.dials]).toEqual([3, 3]);
    waiter.value?.release();
  }),

  claim('lost(error) while dialling fails the dial at once with that error', async (open) => {
    const world = open({
      connect: ({ context }) =>
        world.time
          .sleep(5)
          .then(() => context.lost(refusal))
          .then(never),
      closeTimeoutMs: 10,
    });
    const waiter = world.acquire();
    await world.advance(5);
    expect(waiter.reason).toMatchObject({ code: 'ERR_CONNECT', cause: refusal });
  }),

  claim('P14: a connection that died under its holder is not handed to the waiter', async (open) => {
    const dead = new Set<number>();
    const world = open({ max: 1, hooks: { isAlive: ({ id }) => !dead.has(id) } });
    const holder = await world.lease();
    await world.advance(100);
    const waiter = world.acquire();
    dead.add(1);
    holder.release();
    await world.advance(100);
    expect([waiter.value?.connection.id, world.connections[0]?.closedFor]).toEqual([2, 'lost']);
    waiter.value?.release();
  }),

  claim('P14: a due validate is made before a waiter gets a connection that comes back', async (open) => {
    let asked = 0;
    const world = open({ max: 1, validateAfterIdleMs: 0, hooks: { validate: async () => ++asked > 0 } });
    const holder = await world.lease();
    const waiter = world.acquire();
    holder.release();
    await world.settle();
    expect([waiter.state, asked]).toEqual(['fulfilled', 1]);
    waiter.value?.release();
  }),

  claim(
    'P9: a shared connection that does not answer a ping gets no new lease, and its leases abort',
    async (open) => {
      const world = open({
        leasesPerConnection: 10,
        validateAfterIdleMs: 100,
        hooks: { validate: async ({ id }) => id > 1 },
      });
      const stuck = await world.lease();
      await world.advance(150);
      const next = await world.lease();
      expect([next.connection.id, stuck.signal.aborted]).toEqual([2, true]);
      stuck.release();
      next.release();
    },
  ),

  ...(['lost', 'drained', 'given back with an error'] as const).map((how) =>
    claim(
      `P7: a waiter that counted on the ping of a shared connection is dialled for when it is ${how}`,
      async (open) => {
        const world = open({
          leasesPerConnection: 3,
          validateAfterIdleMs: 100,
          hooks: { validate: ({ id }) => (id > 1 ? true : (never() as Promise<boolean>)) },
          validateTimeoutMs: Infinity,
        });
        const [stays, other] = [await world.lease(), await world.lease()];
        await world.advance(150);
        const waiter = world.acquire();
        await world.settle();
        expect(world.stats).toMatchObject({ connecting: 0, waiting: 1 });
        if (how === 'lost') stays.connection.context.lost(refusal);
        else if (how === 'drained') stays.connection.context.drain();
        else other.release(refusal);
        await world.advance(60);
        expect(waiter.value?.connection.id).toBe(2);
        for (const lease of [stays, other, waiter.value]) lease?.release();
      },
    ),
  ),

  claim(
    'P7: a waiter that counted on a check is dialled for before the lost connection has closed',
    async (open) => {
      const world = open({
        max: 2,
        validateAfterIdleMs: 100,
        close: ({ id }) => (id > 1 ? undefined : world.time.sleep(4_000)),
        hooks: { validate: () => never() as Promise<boolean> },
        validateTimeoutMs: Infinity,
      });
      (await world.lease()).release();
      await world.advance(150);
      const waiter = world.acquire();
      await world.settle();
      expect(world.stats).toMatchObject({ validating: 1, waiting: 1 });
      world.connections[0]?.context.lost(refusal);
      await world.advance(60);
      expect(waiter.value?.connection.id).toBe(2);
      waiter.value?.release();
    },
  ),

  claim('twenty half-open connections are checked side by side after the first failure', async (open) => {
    const world = open({
      max: 20,
      maxConnecting: 20,
      validateAfterIdleMs: 100,
      validateTimeoutMs: 1_000,
      hooks: { validate: ({ id }) => (id > 20 ? true : (never() as Promise<boolean>)) },
    });
    const leases = times(20).map(() => world.acquire());
    await world.advance(60);
    for (const { value } of leases) value?.release();
    await world.advance(200);
    const waiter = world.acquire();
    await world.advance(2_020);
    expect(waiter.value?.connection.id).toBeGreaterThan(20);
    waiter.value?.release();
  }),

  claim('P19: maxWaiting never refuses a caller that a free slot can serve', async (open) => {
    const world = open({ max: 5, maxWaiting: 0 });
    const served = times(6).map(() => world.acquire());
    await world.settle();
    expect(served.map(({ state }) => state)).toEqual([...times(5).map(() => 'pending'), 'rejected']);
    await world.advance(10);
    for (const { value } of served) value?.release();
  }),

  claim('a close event says why, after how many leases and how long', async (open) => {
    const world = open();
    (await world.lease()).release();
    await world.advance(100);
    world.connections[0]?.context.lost(refusal);
    await world.settle();
    expect(world.events.at(-1)).toEqual({
      type: 'close',
      key: 'a',
      reason: 'lost',
      error: refusal,
      leases: 1,
      livedMs: 100,
    });
  }),

  claim('a hook that calls lost() and then rejects causes no unhandled rejection', async (open) => {
    const world = open({
      validateAfterIdleMs: 0,
      hooks: {
        validate: (connection) => {
          connection.context.lost(refusal);
          return Promise.reject(refusal);
        },
      },
    });
    (await world.lease()).release();
    await world.advance(100);
    const next = world.acquire();
    await world.advance(100);
    expect(next.value?.connection.id).toBe(2);
    next.value?.release();
  }),

  claim('P18: a caller refused by maxWaiting does not end the backoff of its key', async (open) => {
    const world = open({ maxWaiting: 0, connect: () => Promise.reject(refusal) });
    const first = world.acquire();
    await world.settle();
    expect(first.reason).toMatchObject({ code: 'ERR_CONNECT' });
    for (const _ of times(3)) {
      const next = world.acquire();
      await world.settle();
      expect(next.reason).toMatchObject({ code: 'ERR_QUEUE_FULL' });
    }
    expect([world.dials, world.stats.keys]).toEqual([1, 0]);
  }),
];
