import { expect } from 'vitest';
import { claim } from './claim.js';

const never = () => new Promise<never>(() => {});

/** What happens to a slot between its reservation and the end of its close, and which events report it. */
export const comingAndGoing = [
  claim('the connect event says how long the dial took', async (open) => {
    const world = open({ connect: 25 });
    await world.advance(100);
    (await world.lease()).release();
    expect(world.events).toContainEqual({ type: 'connect', key: 'a', durationMs: 25 });
  }),

  claim('a connection that drains is closed for the reason lost', async (open) => {
    const world = open();
    const lease = await world.lease();
    lease.connection.context.drain();
    lease.release();
    await world.settle();
    expect(world.connections[0]?.closedFor).toBe('lost');
  }),

  claim('lost, drain and capacity of a connection that is gone have no effect', async (open) => {
    const world = open();
    const lease = await world.lease();
    const { context } = lease.connection;
    lease.destroy();
    await world.settle();
    context.drain();
    context.lost();
    await world.settle();
    expect([world.stats.total, world.connections[0]?.closes]).toEqual([0, 1]);
  }),

  claim(
    'a dial that timed out says after how long; a connection that it brings later is closed',
    async (open) => {
      const world = open({ max: 1, connect: 8, connectTimeoutMs: 5 });
      const waiter = world.acquire();
      await world.advance(5);
      expect(waiter.reason).toMatchObject({
        code: 'ERR_CONNECT',
        cause: { name: 'TimeoutError', message: 'connect took longer than 5 ms' },
      });
      await world.advance(3);
      expect(world.connections[0]?.closedFor).toBe('error');
    },
  ),

  claim('a connection of an older generation is closed for the reason reset', async (open) => {
    const world = open({ max: 1, connect: 8, connectTimeoutMs: 5 });
    world.acquire();
    await world.settle();
    world.pool.reset('a');
    await world.advance(8);
    expect(world.connections[0]?.closedFor).toBe('reset');
  }),

  claim(
    'a dial that never settles gives its slot back; a connection that it brings even later is closed',
    async (open) => {
      const world = open({ max: 1, connect: 1_000, connectTimeoutMs: 5, closeTimeoutMs: 5 });
      world.acquire();
      await world.advance(10);
      expect(world.events).toContainEqual({ type: 'abandoned', key: 'a', hook: 'connect' });
      expect(world.stats).toMatchObject({ total: 0, abandoned: 1 });
      await world.advance(1_000);
      expect(world.connections[0]?.closedFor).toBe('error');
    },
  ),

  claim('a close that never settles gives its slot back, with an abandoned event', async (open) => {
    const world = open({ max: 1, close: never, closeTimeoutMs: 5 });
    (await world.lease()).destroy();
    await world.advance(5);
    expect(world.events).toContainEqual({ type: 'abandoned', key: 'a', hook: 'close' });
    expect(world.stats).toMatchObject({ total: 0, abandoned: 1 });
  }),

  claim('a connect hook that closes the pool ends the dials that had not begun', async (open) => {
    const world = open({ max: 2, connect: () => void world.pool.close() });
    const waiters = [world.acquire(), world.acquire()];
    await world.settle();
    expect(world.dials).toBe(1);
    for (const { reason } of waiters) expect(reason).toMatchObject({ code: 'ERR_CLOSED' });
  }),

  claim("a close that is under way aborts the dial's signal, and says why", async (open) => {
    const world = open({ connect: ({ context }) => aborted(context.signal) });
    world.acquire();
    await world.settle();
    reasons.length = 0;
    await world.pool.close();
    expect(reasons).toEqual(['the connection pool is closed']);
  }),

  claim('a validation that fails or takes too long causes a hookError event', async (open) => {
    const bug = new Error('no answer');
    const answers = [() => Promise.reject(bug), never];
    const validate = () => (answers.shift() ?? (() => true))() as Promise<boolean>;
    const world = open({ max: 1, validateAfterIdleMs: 0, validateTimeoutMs: 5, hooks: { validate } });
    for (let i = 0; i < 3; i++) {
      const lease = await world.lease();
      lease.release();
    }
    expect(world.events).toContainEqual({ type: 'hookError', key: 'a', hook: 'validate', error: bug });
    const late = expect.objectContaining({ message: 'validate took longer than 5 ms' });
    expect(world.events).toContainEqual({ type: 'hookError', key: 'a', hook: 'validate', error: late });
    expect(world.connections.map(({ closedFor }) => closedFor)).toEqual(['invalid', 'invalid', undefined]);
  }),

  claim('close() aborts the signal of a validation under way', async (open) => {
    const validate = (_connection: unknown, signal: AbortSignal) => aborted(signal);
    const world = open({ max: 1, validateAfterIdleMs: 0, hooks: { validate } });
    (await world.lease()).release();
    world.acquire();
    await world.settle();
    reasons.length = 0;
    await world.pool.close();
    expect(reasons).toEqual(['the connection is closed']);
  }),

  claim('a connection whose validate hook closes the pool is not leased', async (open) => {
    const validate = () => {
      void world.pool.close();
      return true;
    };
    const world = open({ max: 1, validateAfterIdleMs: 0, hooks: { validate } });
    (await world.lease()).release();
    const waiter = world.acquire();
    await world.settle();
    expect(waiter.reason).toMatchObject({ code: 'ERR_CLOSED' });
    expect([world.stats.total, world.connections[0]?.closes]).toEqual([0, 1]);
  }),

  claim('a close hook that closes the pool ends the validations that had not begun', async (open) => {
    let asked = 0;
    const validate = () => ++asked > 0;
    const isAlive = ({ id }: { id: number }) => id === 1;
    const close = () => void world.pool.close();
    const world = open({ max: 2, close, validateAfterIdleMs: 50, hooks: { validate, isAlive } });
    const leases = [world.acquire(), world.acquire()];
    await world.advance(10);
    leases[0]?.value?.release();
    leases[1]?.value?.release();
    await world.advance(50);
    const waiters = [world.acquire(), world.acquire()];
    await world.settle();
    expect(asked).toBe(0);
    for (const { reason } of waiters) expect(reason).toMatchObject({ code: 'ERR_CLOSED' });
  }),

  claim('ref and unref are called once per use of the connection, not per lease', async (open) => {
    const calls: string[] = [];
    const hooks = { ref: () => void calls.push('ref'), unref: () => void calls.push('unref') };
    const world = open({ leasesPerConnection: 2, hooks });
    const [first, second] = [await world.lease(), await world.lease()];
    first.release();
    second.release();
    expect(calls).toEqual(['ref', 'unref']);
  }),

  claim(
    'unref is called once for a connection that its last lease leaves during a validation',
    async (open) => {
      const calls: string[] = [];
      const world = open({
        leasesPerConnection: 2,
        validateAfterIdleMs: 100,
        hooks: {
          ref: () => void calls.push('ref'),
          unref: () => void calls.push('unref'),
          validate: () => world.time.sleep(20).then(() => true),
        },
      });
      const lease = await world.lease();
      await world.advance(150);
      const waiter = world.acquire('a', { waitTimeoutMs: 5 });
      await world.advance(10);
      lease.release();
      await world.advance(10);
      expect([waiter.state, world.stats.idle, calls]).toEqual(['rejected', 1, ['ref', 'unref']]);
    },
  ),

  claim('the signal of a lease aborts once, with the first reason', async (open) => {
    const world = open({ max: 2, close: 5 });
    const lost = await world.lease();
    lost.connection.context.lost(new Error('reset by peer'));
    expect(lost.signal.reason).toMatchObject({
      code: 'ERR_LEASE_LOST',
      message: 'the connection was lost',
      cause: { message: 'reset by peer' },
    });
    lost.release();
    const forced = [await world.lease(), await world.lease()];
    const closed = world.pool.close({ graceMs: 0 });
    await world.advance(0);
    forced[0]?.connection.context.lost();
    await world.advance(5);
    forced[1]?.connection.context.lost();
    await closed;
    for (const lease of forced) {
      expect(lease.signal.reason).toMatchObject({ message: 'the connection was closed by force' });
      expect(lease.connection.closedFor).toBe('shutdown');
    }
  }),

  claim(
    'a connection that will be closed when it comes back counts as a slot that is leaving',
    async (open) => {
      const world = open({ max: 2 });
      const retiring = await world.lease('a');
      (await world.lease('c')).release();
      world.pool.reset('a');
      const waiter = world.acquire('b');
      await world.advance(50);
      expect([waiter.state, world.stats.idle, world.stats.evicted]).toEqual(['pending', 1, 0]);
      retiring.release();
      await world.advance(10);
      expect([waiter.state, world.stats.idle]).toEqual(['fulfilled', 1]);
      // It has left: the next starving key does not wait for it again.
      const next = world.acquire('d');
      await world.advance(10);
      expect([next.state, world.stats.evicted]).toEqual(['fulfilled', 1]);
      waiter.value?.release();
      next.value?.release();
    },
  ),

  claim(
    'a retiring connection serves no waiter: a failed dial rejects the waiters of its key at once',
    async (open) => {
      const refusal = new Error('refused');
      const world = open({ max: 2, connect: ({ id }) => (id === 1 ? undefined : Promise.reject(refusal)) });
      const retiring = await world.lease();
      world.pool.reset('a');
      const waiter = world.acquire();
      await world.settle();
      expect(waiter.reason).toMatchObject({ code: 'ERR_CONNECT', cause: refusal });
      retiring.release();
    },
  ),

  claim(
    'the timer of idle connections is set earlier when one comes back that is due first',
    async (open) => {
      const world = open({ max: 2, connect: 0, idleTimeoutMs: 1_000, maxLifetimeMs: 1_500, random: () => 0 });
      const old = await world.lease();
      await world.advance(600);
      const young = await world.lease();
      young.release();
      await world.advance(800);
      old.release();
      await world.advance(90);
      expect(world.connections[0]?.closedFor).toBe(undefined);
      await world.advance(20);
      expect(world.connections[0]?.closedFor).toBe('lifetime');
    },
  ),
];

const reasons: string[] = [];

/** Waits for the abort, and remembers what it said. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reasons.push((signal.reason as Error).message);
      reject(signal.reason);
    });
  });
}
