import { expect } from 'vitest';
import type { PoolLease } from '../../support/pool-world.js';
import { claim } from './claim.js';

const never = () => new Promise<never>(() => {});

export const givingBack = [
  claim('a second release has no effect and causes a doubleRelease event (T27)', async (open) => {
    const world = open({ max: 1 });
    const first = await world.lease();
    const second = world.acquire();
    first.release();
    first.release();
    first.destroy();
    await world.settle();
    expect(second.state).toBe('fulfilled');
    expect(world.stats.leased).toBe(1);
    expect(world.events.filter(({ type }) => type === 'doubleRelease')).toHaveLength(2);
    second.value?.release();
  }),

  claim('the connection cannot be reached through a lease that was released (T28)', async (open) => {
    const world = open();
    const lease = await world.lease();
    lease.release();
    expect(() => lease.connection).toThrow('the lease is closed');
    expect([lease.key, lease.released]).toEqual(['a', true]);
  }),

  claim('a connection released with an error is closed, and the waiter gets another (T29)', async (open) => {
    const world = open({ max: 1 });
    const lease = await world.lease();
    const waiter = world.acquire();
    lease.release(new Error('broken pipe'));
    await world.advance(10);
    expect(waiter.value?.connection.id).toBe(2);
    expect(world.connections[0]?.closedFor).toBe('error');
    waiter.value?.release();
  }),

  claim(
    'use() closes the connection of a task that threw, unless isReusable says otherwise (T30)',
    async (open) => {
      const harmless = new Error('harmless');
      const world = open({ hooks: { isReusable: (_, error) => error === harmless } });
      const failWith = async (error: unknown) => {
        const used = world.pool.use('a', () => Promise.reject(error));
        used.catch(() => {});
        await world.advance(20);
        await expect(used).rejects.toBe(error);
      };
      await failWith(harmless);
      expect(world.stats).toMatchObject({ idle: 1, connected: 1 });
      await failWith(new Error('harmful'));
      expect(world.stats).toMatchObject({ total: 0, connected: 1 });
      await failWith(undefined);
      expect(world.stats).toMatchObject({ total: 0, connected: 2 });
    },
  ),

  claim('destroy() closes the connection', async (open) => {
    const world = open();
    (await world.lease()).destroy();
    await world.settle();
    expect(world.connections[0]?.closedFor).toBe('error');
  }),

  claim('a task may release its lease early without a doubleRelease event', async (open) => {
    const world = open();
    const used = world.pool.use('a', (_connection, lease) => lease.release());
    await world.advance(20);
    await used;
    expect(world.events.map(({ type }) => type)).toEqual(['connect']);
  }),

  claim('reset cleans a connection between two leases, and no caller has it meanwhile', async (open) => {
    const cleaned: number[] = [];
    const world = open({
      max: 1,
      hooks: {
        reset: async ({ id }) => {
          await world.time.sleep(5);
          cleaned.push(id);
        },
      },
    });
    const lease = await world.lease();
    const waiter = world.acquire();
    lease.release();
    await world.settle();
    expect([waiter.state, world.stats.validating, cleaned]).toEqual(['pending', 1, []]);
    await world.advance(5);
    expect([waiter.state, cleaned, world.dials]).toEqual(['fulfilled', [1], 1]);
    waiter.value?.release();
    await world.advance(5);
  }),

  claim('a reset that hangs, throws or rejects costs the connection, not the slot (T31)', async (open) => {
    const behaviours = [
      never,
      () => Promise.reject(new Error('no')),
      () => {
        throw new Error('no');
      },
    ];
    const world = open({
      max: 1,
      validateTimeoutMs: 50,
      hooks: { reset: ({ id }) => (behaviours[id - 1] ?? (() => undefined))() as undefined },
    });
    for (const _ of behaviours) {
      (await world.lease()).release();
      await world.advance(50);
      expect(world.stats.total).toBe(0);
    }
    expect(world.connections.map(({ closedFor }) => closedFor)).toEqual(['invalid', 'invalid', 'invalid']);
    (await world.lease()).release();
  }),

  claim(
    'lost() closes a connection once, in every state and when called several times (T42)',
    async (open) => {
      const world = open();
      const say = (lease: PoolLease, cause?: unknown) => {
        lease.connection.context.lost(cause);
        lease.connection.context.lost(cause);
      };
      const leased = await world.lease();
      const { signal, connection } = leased;
      const cause = new Error('ECONNRESET');
      say(leased, cause);
      expect(signal.reason).toMatchObject({ code: 'ERR_LEASE_LOST', cause });
      expect(connection.closes).toBe(0);
      leased.release();
      await world.settle();
      connection.context.lost();
      const idle = await world.lease();
      const idleConnection = idle.connection;
      idle.release();
      idleConnection.context.lost();
      idleConnection.context.lost();
      await world.settle();
      expect(world.connections.map(({ closedFor, closes }) => [closedFor, closes])).toEqual([
        ['lost', 1],
        ['lost', 1],
      ]);
    },
  ),

  claim('a lease signal that is first read after the loss is aborted already', async (open) => {
    const world = open();
    const lease = await world.lease();
    lease.connection.context.lost();
    await world.settle();
    expect(lease.signal.reason).toMatchObject({ code: 'ERR_LEASE_LOST' });
    lease.release();
  }),

  claim('losing the only idle connection frees its slot for another key (T43)', async (open) => {
    const world = open({ max: 1, close: 100 });
    const a = await world.lease('a');
    const { context } = a.connection;
    a.release();
    context.lost();
    const b = world.acquire('b');
    await world.advance(110);
    expect(b.state).toBe('fulfilled');
    expect(world.stats.evicted).toBe(0);
    b.value?.release();
  }),

  claim('drain() lets the leases finish and gives no more (T46)', async (open) => {
    const world = open({ leasesPerConnection: 3 });
    const [first, second] = [world.acquire(), world.acquire()];
    await world.advance(10);
    first.value?.connection.context.drain();
    const third = world.acquire();
    await world.advance(10);
    expect(third.value?.connection.id).toBe(2);
    expect(first.value?.signal.aborted).toBe(false);
    first.value?.release();
    await world.settle();
    expect(world.connections[0]?.closes).toBe(0);
    second.value?.release();
    await world.settle();
    expect(world.connections[0]?.closes).toBe(1);
    third.value?.release();
  }),

  claim(
    'a lease held for too long is reported with the stack of its acquire, and so is its late return (T47)',
    async (open) => {
      const world = open({ leakWarnAfterMs: 1_000 });
      async function theLeaker() {
        return await world.lease();
      }
      const lease = await theLeaker();
      await world.advance(1_000);
      const leak = world.events.find((event) => event.type === 'leak');
      expect(leak).toMatchObject({ key: 'a', heldMs: 1_000 });
      expect(leak?.stack).toContain('pool-world');
      await world.advance(5_000);
      lease.release();
      await world.settle();
      expect(world.events.filter(({ type }) => type === 'leak')).toHaveLength(1);
      expect(world.events.at(-1)).toMatchObject({ type: 'leakReturned', heldMs: 6_000 });
      const brief = await world.lease();
      brief.release();
      await world.advance(5_000);
      expect(world.events.filter(({ type }) => type === 'leak')).toHaveLength(1);
    },
  ),

  claim('ref is called when a connection is leased, unref when it is idle', async (open) => {
    const calls: string[] = [];
    const world = open({ hooks: { ref: () => calls.push('ref'), unref: () => calls.push('unref') } });
    const lease = await world.lease();
    expect(calls).toEqual(['ref']);
    lease.release();
    (await world.lease()).release();
    expect(calls).toEqual(['ref', 'unref', 'ref', 'unref']);
  }),
];
