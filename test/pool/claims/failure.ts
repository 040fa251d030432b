import { expect } from 'vitest';
import type { Connection } from '../../support/pool-world.js';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);
const never = () => new Promise(() => {});
const refusal = new Error('refused');

export const failure = [
  claim('when nothing else can serve a key, a failed dial rejects all its waiters (T8)', async (open) => {
    const world = open({ connect: () => world.time.sleep(1).then(() => Promise.reject(refusal)) });
    const waiters = times(100).map(() => world.acquire());
    await world.advance(1);
    for (const { reason } of waiters)
      expect(reason).toMatchObject({ code: 'ERR_CONNECT', key: 'a', cause: refusal });
    expect(new Set(waiters.map(({ reason }) => reason)).size).toBe(100);
    expect(world.dials).toBe(10);
  }),

  claim(
    'a failed dial does not reject a waiter that an open connection can still serve (T9)',
    async (open) => {
      const world = open({ connect: ({ id }) => (id === 1 ? undefined : Promise.reject(refusal)) });
      const holder = await world.lease();
      const waiter = world.acquire();
      await world.settle();
      expect([waiter.state, world.stats.connectFailed]).toEqual(['pending', 1]);
      holder.release();
      await world.settle();
      expect(waiter.value?.connection.id).toBe(1);
      waiter.value?.release();
    },
  ),

  claim(
    'P18: while a server is down a growing backoff bounds the dials, and one probe finds it up again (T10)',
    async (open) => {
      let down = true;
      const world = open({ connect: () => (down ? Promise.reject(refusal) : undefined), maxConnecting: 10 });
      let served = 0;
      let told = 0;
      const callers = times(20).map(async () => {
        while (served === 0) {
          await world.pool.use('a', () => served++).catch(() => told++);
        }
      });
      await world.advance(3_000);
      down = false;
      const before = world.dials;
      expect(before).toBeLessThan(60);
      expect(told).toBeGreaterThan(0);
      await world.advance(5_000);
      await Promise.all(callers);
      expect(served).toBeGreaterThan(0);
      expect(world.dials - before).toBeLessThanOrEqual(20);
    },
  ),

  claim('a failed dial gives its slot to another key without any other event (T10b)', async (open) => {
    const world = open({
      max: 1,
      connect: ({ key }) =>
        world.time.sleep(10).then(() => (key === 'bad' ? Promise.reject(refusal) : undefined)),
    });
    const bad = world.acquire('bad');
    const good = world.acquire('good');
    await world.advance(10);
    expect(bad.state).toBe('rejected');
    await world.advance(10);
    expect(good.state).toBe('fulfilled');
    good.value?.release();
  }),

  claim('a connector that throws at once is a failed dial (T11)', async (open) => {
    const world = open({
      connect: () => {
        throw refusal;
      },
    });
    const waiter = world.acquire();
    await world.settle();
    expect(waiter.reason).toMatchObject({ code: 'ERR_CONNECT', cause: refusal });
    expect(world.stats).toMatchObject({ total: 0, connectFailed: 1 });
  }),

  claim(
    'a dial that never settles fails after connectTimeoutMs, aborts its signal and gives its slot back (T12)',
    async (open) => {
      let signal: AbortSignal | undefined;
      const world = open({
        max: 1,
        connectTimeoutMs: 100,
        closeTimeoutMs: 50,
        connect: ({ id, context }) => {
          signal ??= context.signal;
          return id === 1 ? never() : undefined;
        },
      });
      const waiter = world.acquire();
      await world.advance(99);
      expect([waiter.state, signal?.aborted]).toEqual(['pending', false]);
      await world.advance(1);
      expect(waiter.reason).toMatchObject({ code: 'ERR_CONNECT', cause: { name: 'TimeoutError' } });
      expect(signal?.aborted).toBe(true);
      const next = world.acquire();
      await world.advance(50);
      expect(world.stats.abandoned).toBe(1);
      await world.advance(100);
      expect(next.state).toBe('fulfilled');
      next.value?.release();
    },
  ),

  claim('a dial signal that is first read after the dial was given up is aborted already', async (open) => {
    let context: { readonly signal: AbortSignal } | undefined;
    const world = open({
      connectTimeoutMs: 10,
      closeTimeoutMs: 10,
      connect: (connection) => {
        context = connection.context;
        return never();
      },
    });
    world.acquire();
    await world.advance(10);
    expect(context?.signal.reason).toMatchObject({ name: 'TimeoutError' });
  }),

  claim(
    'a connection that arrives after its dial timed out is closed once, never leased, and counted until then (T13)',
    async (open) => {
      const world = open({
        max: 1,
        connectTimeoutMs: 10,
        connect: ({ id }) => world.time.sleep(id === 1 ? 30 : 1),
      });
      const late = world.acquire();
      await world.advance(10);
      expect([late.state, world.stats.closing]).toEqual(['rejected', 1]);
      const next = world.acquire();
      await world.advance(15);
      expect(next.state).toBe('pending');
      await world.advance(100);
      expect(next.value?.connection.id).toBe(2);
      expect([world.connections[0]?.closes, world.peak]).toEqual([1, 1]);
      next.value?.release();
    },
  ),

  claim(
    'a timed-out wait has the last failed dial as cause, and its message says how old the oldest lease is (T22)',
    async (open) => {
      const world = open({ max: 1, waitTimeoutMs: 1_000 });
      const holder = await world.lease('a');
      const waiter = world.acquire('b');
      await world.advance(1_000);
      expect(waiter.reason).toMatchObject({
        code: 'ERR_WAIT_TIMEOUT',
        key: 'b',
        held: 1,
        limit: 1,
        waiting: 0,
      });
      expect((waiter.reason as Error).message).toContain('the oldest lease has been held for 1000 ms');
      holder.release();
    },
  ),

  claim('a wait that times out while its key fails has the failure as cause', async (open) => {
    const world = open({
      waitTimeoutMs: 500,
      connect: ({ id }) => (id === 1 ? undefined : Promise.reject(refusal)),
    });
    const holder = await world.lease();
    const waiter = world.acquire();
    await world.advance(500);
    expect(waiter.reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT', cause: refusal });
    holder.release();
  }),

  claim('dials that fail together count as one failure', async (open) => {
    const world = open({ connect: () => Promise.reject(refusal) });
    for (const _ of times(10)) world.acquire();
    await world.settle();
    const retries = world.events.flatMap((event) =>
      event.type === 'connectFailed' ? [event.retryInMs] : [],
    );
    expect(retries).toHaveLength(10);
    expect(Math.max(...retries)).toBeLessThanOrEqual(50);
  }),

  claim('a connection lost during its own connect is a failed dial, and is closed', async (open) => {
    const world = open({
      connect: ({ context }) => context.lost(refusal),
    });
    const waiter = world.acquire();
    await world.settle();
    expect(waiter.reason).toMatchObject({ code: 'ERR_CONNECT', cause: refusal });
    expect(world.connections[0]?.closedFor).toBe('lost');
  }),

  claim('P12: a failing key is forgotten when nobody waits, and leaves no timer', async (open) => {
    const world = open({ connect: () => Promise.reject(refusal) });
    world.acquire();
    await world.settle();
    expect(world.stats.keys).toBe(0);
    expect(world.time.armed).toBe(0);
  }),

  claim('a waiter in a backoff keeps the process alive until it ends', async (open) => {
    const world = open({
      waitTimeoutMs: Infinity,
      connect: ({ id }) => (id === 1 ? Promise.reject(refusal) : undefined),
    });
    world.acquire();
    await world.settle();
    const waiter = world.acquire();
    await world.settle();
    expect([waiter.state, world.time.foreground]).toEqual(['pending', 1]);
    await world.advance(50);
    waiter.value?.release();
    expect(waiter.state).toBe('fulfilled');
  }),

  claim('reset() ends the backoff: the next caller dials at once', async (open) => {
    const world = open({ connect: ({ id }) => (id === 1 ? Promise.reject(refusal) : undefined) });
    world.acquire();
    await world.settle();
    const waiter = world.acquire();
    await world.settle();
    world.pool.reset('a');
    await world.settle();
    expect(waiter.state).toBe('fulfilled');
    waiter.value?.release();
  }),

  claim(
    'whatever close does, its slot comes back by closeTimeoutMs and the next waiter is served (T40)',
    async (open) => {
      const behaviours: ((connection: Connection) => unknown)[] = [
        () => {
          throw refusal;
        },
        () => Promise.reject(refusal),
        never,
      ];
      const world = open({
        max: 1,
        closeTimeoutMs: 100,
        close: (connection) => behaviours[connection.id - 1]?.(connection),
      });
      for (const _ of behaviours) {
        const lease = await world.lease();
        const waiter = world.acquire();
        lease.destroy();
        await world.advance(110);
        expect(waiter.state).toBe('fulfilled');
        waiter.value?.release();
      }
      const errors = world.events.filter((event) => event.type === 'hookError' && event.hook === 'close');
      expect(errors).toHaveLength(2);
      expect(world.stats.abandoned).toBe(1);
    },
  ),
];
