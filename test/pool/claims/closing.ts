import { expect } from 'vitest';
import { watch } from '../../support/lock-likes.js';
import { claim } from './claim.js';

const never = () => new Promise<never>(() => {});

export const closing = [
  claim(
    'close() refuses waiters at once, aborts dials, waits for leases, then closes by force (T38)',
    async (open) => {
      const world = open({ max: 3, connect: ({ id }) => world.time.sleep(id === 3 ? 500 : 10) });
      const leased = await world.lease('a');
      (await world.lease('b')).release();
      const waiter = world.acquire('a');
      await world.settle();
      const closed = watch(world.pool.close({ graceMs: 1_000 }));
      expect(world.pool.close()).toBe(world.pool.close({ graceMs: 5_000 }));
      await world.settle();
      expect(waiter.reason).toMatchObject({ code: 'ERR_CLOSED' });
      await expect(world.pool.acquire('a')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
      await world.advance(999);
      expect([closed.state, leased.signal.aborted]).toEqual(['pending', false]);
      await world.advance(1);
      await world.settle();
      expect(leased.signal.reason).toMatchObject({ code: 'ERR_LEASE_LOST' });
      expect([closed.state, world.alive]).toEqual(['fulfilled', 0]);
      leased.release();
      expect(world.stats.total).toBe(0);
    },
  ),

  claim('close() resolves as soon as the last lease comes back', async (open) => {
    const world = open();
    const lease = await world.lease();
    const closed = watch(world.pool.close());
    await world.advance(100);
    lease.release();
    await world.settle();
    expect([closed.state, world.time.armed]).toEqual(['fulfilled', 0]);
  }),

  claim('close() while the last dial fails resolves (T39)', async (open) => {
    const world = open({
      connect: ({ context: { signal } }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    const waiter = world.acquire();
    await world.settle();
    const closed = watch(world.pool.close());
    await world.settle();
    expect([waiter.state, closed.state]).toEqual(['rejected', 'fulfilled']);
  }),

  claim('close() waits for a dial that ignores its signal no longer than closeTimeoutMs', async (open) => {
    const world = open({ connect: never, closeTimeoutMs: 100 });
    world.acquire();
    await world.settle();
    const closed = watch(world.pool.close());
    await world.advance(99);
    expect(closed.state).toBe('pending');
    await world.advance(1);
    expect([closed.state, world.stats.abandoned]).toEqual(['fulfilled', 1]);
  }),

  claim('a pool closed inside its own connect hook starts no more dials', async (open) => {
    const world = open({ max: 2, connect: () => void world.pool.close() });
    const waiters = [world.acquire('a'), world.acquire('b')];
    await world.advance(10);
    expect(waiters.map(({ reason }) => (reason as { code: string }).code)).toEqual([
      'ERR_CLOSED',
      'ERR_CLOSED',
    ]);
    expect(world.stats.total).toBe(0);
  }),

  claim('P4: a caller whose isAlive hook closes the pool is refused', async (open) => {
    let isClosing = false;
    const world = open({
      hooks: {
        isAlive: () => {
          if (isClosing) void world.pool.close();
          return true;
        },
      },
    });
    (await world.lease()).release();
    const busy = await world.lease('b');
    isClosing = true;
    const caller = world.acquire();
    await world.settle();
    expect(caller.reason).toMatchObject({ code: 'ERR_CLOSED' });
    busy.release();
    await world.settle();
    expect(world.stats).toMatchObject({ total: 0, keys: 0, waiting: 0 });
  }),

  claim(
    'close() called again by a hook that the close itself calls returns the same promise',
    async (open) => {
      const promises: Promise<void>[] = [];
      const world = open({
        onEvent: ({ type }) => {
          if (type === 'close') promises.push(world.pool.close());
        },
      });
      (await world.lease()).release();
      promises.push(world.pool.close());
      await world.settle();
      expect(new Set(promises)).toEqual(new Set([world.pool.close()]));
      expect(promises).toHaveLength(2);
    },
  ),

  claim('the grace ends a drain: its waiters are refused, and its leases closed by force', async (open) => {
    const world = open({ max: 1 });
    const held = await world.lease();
    const waiter = world.acquire();
    const closed = watch(world.pool.close({ drain: true, graceMs: 100 }));
    await world.advance(99);
    expect([waiter.state, held.signal.aborted]).toEqual(['pending', false]);
    await world.advance(1);
    expect(waiter.reason).toMatchObject({ code: 'ERR_CLOSED' });
    expect([held.signal.aborted, closed.state, world.dials]).toEqual([true, 'fulfilled', 1]);
    held.release();
  }),

  claim('P7: a pool that drains dials for its waiters', async (open) => {
    const world = open({ max: 1 });
    const held = await world.lease();
    const waiter = world.acquire();
    const closed = watch(world.pool.close({ drain: true, graceMs: 1_000 }));
    held.destroy();
    await world.advance(10);
    expect(waiter.value?.connection.id).toBe(2);
    waiter.value?.release();
    await world.settle();
    expect(closed.state).toBe('fulfilled');
  }),

  claim('a pool that was never used closes at once', async (open) => {
    const world = open();
    await world.pool.close();
    expect(world.time.armed).toBe(0);
  }),

  claim('close() with validation, reset and backoff under way leaves no timer', async (open) => {
    const world = open({
      validateAfterIdleMs: 1,
      hooks: { validate: never, reset: never },
      connect: ({ key }) => (key === 'bad' ? Promise.reject(new Error('no')) : undefined),
    });
    (await world.lease('a')).release();
    world.acquire('bad');
    await world.settle();
    expect(world.stats.validating).toBe(1);
    const closed = watch(world.pool.close());
    await world.settle();
    expect([closed.state, world.time.armed]).toEqual(['fulfilled', 0]);
  }),

  claim('P11: no event comes after close() has resolved', async (open) => {
    const world = open({ connect: never, closeTimeoutMs: 10 });
    const waiter = world.acquire();
    await world.settle();
    world.pool.close();
    await world.advance(10);
    const told = world.events.length;
    await world.advance(100_000);
    expect([waiter.state, world.events.length]).toEqual(['rejected', told]);
  }),

  claim('every hook may call the pool (T41)', async (open) => {
    let depth = 0;
    const again = () => {
      if (depth > 3) return true;
      depth++;
      world.acquire(`key-${depth}`);
      world.pool.stats();
      world.pool.reset();
      return true;
    };
    const world = open({
      max: 2,
      validateAfterIdleMs: 0,
      onEvent: again,
      hooks: {
        isAlive: again,
        isReusable: again,
        ref: again,
        unref: again,
        validate: again,
        reset: async () => void again(),
      },
    });
    for (const key of ['a', 'b', 'a', 'c']) {
      const outcome = world.acquire(key);
      for (let i = 0; i < 50; i++) {
        await world.advance(10);
        for (const { value } of world.acquires)
          if (value?.released === false) value.release(i % 2 ? undefined : new Error('x'));
      }
      expect(outcome.state).toBe('fulfilled');
      depth = 0;
    }
  }),
];
