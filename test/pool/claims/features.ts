import { expect } from 'vitest';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);
const never = () => new Promise(() => {});

/** What a pool can do besides leasing connections. */
export const features = [
  claim('tryAcquire gives an idle connection at once, and never dials', async (open) => {
    const world = open({ max: 1 });
    expect([world.pool.tryAcquire('a'), world.dials]).toEqual([undefined, 0]);
    (await world.lease()).release();
    const lease = world.pool.tryAcquire('a');
    expect(lease?.connection.id).toBe(1);
    expect(world.pool.tryAcquire('a')).toBeUndefined();
    lease?.release();
  }),

  claim('a lease from tryAcquire is watched for leaks too', async (open) => {
    const world = open({ leakWarnAfterMs: 100 });
    (await world.lease()).release();
    const lease = world.pool.tryAcquire('a');
    await world.advance(100);
    expect(world.events.some(({ type }) => type === 'leak')).toBe(true);
    lease?.release();
  }),

  claim('P8: minIdle is dialled in the background for keys in use, and ends with their use', async (open) => {
    const world = open({ minIdle: 2, idleTimeoutMs: 1_000 });
    const lease = await world.lease();
    await world.advance(50);
    expect(world.pool.stats('a')).toMatchObject({ idle: 2, leased: 1 });
    lease.release();
    await world.advance(3_000);
    expect(world.stats).toMatchObject({ total: 0, keys: 0 });
  }),

  claim('keepAliveMs validates idle connections, and does not extend their idle time', async (open) => {
    let asked = 0;
    const validate = async () => ++asked > 0;
    const world = open({ keepAliveMs: 200, idleTimeoutMs: 1_000, hooks: { validate } });
    (await world.lease()).release();
    await world.advance(950);
    expect([asked, world.stats.idle]).toEqual([4, 1]);
    await world.advance(100);
    expect(world.connections[0]?.closedFor).toBe('idle');
  }),

  claim('maxUses replaces a connection after that many leases', async (open) => {
    const world = open({ maxUses: 2 });
    for (const _ of times(3)) (await world.lease()).release();
    expect([world.dials, world.connections[0]?.closedFor]).toEqual([2, 'lifetime']);
  }),

  claim('maxConnectingTotal bounds the dials of all keys', async (open) => {
    const world = open({ maxConnectingTotal: 2 });
    const served = times(5).map((i) => world.acquire(`key-${i}`));
    await world.settle();
    expect(world.stats.connecting).toBe(2);
    await world.advance(30);
    for (const { value } of served) value?.release();
  }),

  claim('P2: maxPerKey may be a function of the key', async (open) => {
    const world = open({ maxPerKey: (key: unknown) => (key === 'a' ? 1 : 3) });
    const served = ['a', 'a', 'b', 'b'].map((key) => world.acquire(key));
    await world.advance(10);
    expect(served.map(({ state }) => state)).toEqual(['fulfilled', 'pending', 'fulfilled', 'fulfilled']);
    for (const { value } of served) value?.release();
    await world.settle();
    served[1]?.value?.release();
  }),

  claim('maxWaitingPerKey refuses a key that fills the line, and no other', async (open) => {
    const world = open({ max: 4, maxPerKey: 1, maxWaitingPerKey: 1 });
    const served = ['a', 'a', 'a', 'b'].map((key) => world.acquire(key));
    await world.advance(10);
    expect(served.map(({ state }) => state)).toEqual(['fulfilled', 'pending', 'rejected', 'fulfilled']);
    served[0]?.value?.release();
    await world.settle();
    for (const i of [1, 3]) served[i]?.value?.release();
  }),

  claim('stats(key) and keys() report the keys that have a connection or a waiter', async (open) => {
    const world = open();
    const lease = await world.lease();
    expect([...world.pool.keys()]).toEqual(['a']);
    expect(world.pool.stats('a')).toMatchObject({ total: 1, leased: 1, waiting: 0, failures: 0 });
    expect(world.pool.stats('b')).toBeUndefined();
    lease.release();
  }),

  claim('P3: a connection has no more leases than it said with capacity()', async (open) => {
    const world = open({ leasesPerConnection: 10, max: 2, connect: ({ context }) => context.capacity(2) });
    const served = times(5).map(() => world.acquire());
    await world.advance(10);
    expect(served.filter(({ state }) => state === 'fulfilled')).toHaveLength(4);
    world.connections[0]?.context.capacity(3);
    await world.settle();
    expect(served[4]?.state).toBe('fulfilled');
    for (const { value } of served) value?.release();
  }),

  claim('lowering max closes idle connections first, the least recently used of them first', async (open) => {
    const world = open({ max: 5 });
    const leases = times(5).map(() => world.acquire());
    await world.advance(10);
    for (const i of [2, 0, 1]) {
      leases[i]?.value?.release();
      await world.advance(1);
    }
    world.pool.max = 3;
    await world.settle();
    expect(world.connections.map(({ closedFor }) => closedFor)).toEqual([
      'evicted',
      undefined,
      'evicted',
      undefined,
      undefined,
    ]);
    expect(world.stats).toMatchObject({ total: 3, idle: 1, leased: 2 });
    for (const { value } of leases.slice(3)) value?.release();
  }),

  claim('lowering max below the leases interrupts none; they close when they come back', async (open) => {
    const world = open({ max: 4 });
    const leases = times(4).map(() => world.acquire());
    await world.advance(10);
    world.pool.max = 2;
    await world.advance(1_000);
    expect(leases.map(({ value }) => value?.signal.aborted)).toEqual(times(4).map(() => false));
    expect(world.stats).toMatchObject({ total: 4, leased: 4 });
    const waiter = world.acquire();
    for (const { value } of leases) {
      value?.release();
      await world.settle();
    }
    // The first two closed for the cap, the third serves the waiter.
    expect(world.connections.map(({ closedFor }) => closedFor)).toEqual([
      'evicted',
      'evicted',
      undefined,
      undefined,
    ]);
    expect(waiter.value?.connection.id).toBe(3);
    waiter.value?.release();
  }),

  claim('lowering max gives up the youngest dials, and their waiters get the others', async (open) => {
    const world = open({ max: 4, connect: ({ id }) => world.time.sleep(10 * id) });
    const waiters = times(4).map(() => world.acquire());
    await world.settle();
    world.pool.max = 1;
    expect(world.stats).toMatchObject({ connecting: 1, closing: 3 });
    for (const waiter of waiters) {
      await world.advance(50);
      expect(waiter.value?.connection.id).toBe(1);
      waiter.value?.release();
    }
    expect(world.dials).toBe(4);
  }),

  claim('raising max dials for the waiters in the same turn', async (open) => {
    const world = open({ max: 3 });
    world.pool.max = 1;
    const waiters = times(4).map(() => world.acquire());
    await world.settle();
    expect(world.dials).toBe(1);
    world.pool.max = 3;
    expect(world.dials).toBe(3);
    await world.advance(10);
    expect(waiters.filter(({ state }) => state === 'fulfilled')).toHaveLength(3);
    waiters[0]?.value?.release();
    await world.settle();
    for (const { value } of waiters.slice(1)) value?.release();
  }),

  claim('close({ drain: true }) serves the waiters, and refuses newcomers', async (open) => {
    const world = open({ max: 1 });
    const work = times(4).map(() => world.pool.use('a', () => world.time.sleep(20)));
    await world.advance(15);
    const closed = world.pool.close({ drain: true });
    const late = world.acquire();
    await world.advance(100);
    await Promise.all([...work, closed]);
    expect(late.reason).toMatchObject({ code: 'ERR_CLOSED' });
  }),

  claim('of several close() calls the shorter grace wins', async (open) => {
    const world = open();
    const lease = await world.lease();
    const closed = world.pool.close({ graceMs: 60_000 });
    expect(world.pool.close({ graceMs: 5 })).toBe(closed);
    await world.advance(10);
    await closed;
    expect(lease.signal.aborted).toBe(true);
  }),

  claim('destroy() resolves when the connection is closed', async (open) => {
    const world = open({ close: 20 });
    const lease = await world.lease();
    let isGone = false;
    void lease.destroy().then(() => {
      isGone = true;
    });
    await world.advance(19);
    expect(isGone).toBe(false);
    await world.advance(1);
    await world.settle();
    expect(isGone).toBe(true);
  }),

  claim('P13: a check that never settles ends, and its slot comes back', async (open) => {
    const world = open({
      max: 1,
      validateAfterIdleMs: 10,
      validateTimeoutMs: 50,
      hooks: { validate: () => never() as Promise<boolean> },
    });
    (await world.lease()).release();
    await world.advance(100);
    const next = world.acquire();
    await world.advance(200);
    expect(next.value?.connection.id).toBe(2);
    next.value?.release();
  }),

  claim('a lease that is logged shows neither its key nor its connection', async (open) => {
    const world = open();
    const lease = await world.lease();
    expect(JSON.parse(JSON.stringify(lease))).toEqual({ released: false, heldMs: 0 });
    lease.release();
  }),
];
