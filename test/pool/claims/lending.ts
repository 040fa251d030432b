import { expect } from 'vitest';
import { claim } from './claim.js';

/** What is checked before a connection is leased, and how many leases it may have. */
export const lending = [
  claim('an exclusive connection has one lease at a time', async (open) => {
    const world = open({ max: 1 });
    (await world.lease()).release();
    const holder = world.acquire();
    const next = world.acquire();
    await world.settle();
    expect([holder.state, next.state, world.stats.leased]).toEqual(['fulfilled', 'pending', 1]);
    holder.value?.release();
    await world.settle();
    expect(next.value?.connection.id).toBe(1);
    next.value?.release();
  }),

  claim(
    'a shared connection has leasesPerConnection leases at most, in whatever order they end',
    async (open) => {
      const world = open({ max: 1, leasesPerConnection: 3 });
      const [first, second] = [await world.lease(), await world.lease()];
      first.release();
      const holders = [world.acquire(), world.acquire()];
      const next = world.acquire();
      await world.settle();
      expect(holders.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
      expect([next.state, world.stats.leased, world.dials]).toEqual(['pending', 1, 1]);
      second.release();
      await world.settle();
      expect(next.value?.connection.id).toBe(1);
      for (const { value } of [...holders, next]) value?.release();
    },
  ),

  claim('P19: a caller that an idle connection serves takes no place in the queue', async (open) => {
    const world = open({
      max: 2,
      maxWaiting: 0,
      connect: ({ key }) => world.time.sleep(key === 'a' ? 1 : 1_000),
    });
    (await world.lease('a')).release();
    const waiter = world.acquire('b');
    const lucky = world.acquire('a');
    const unlucky = world.acquire('a');
    await world.settle();
    expect([waiter.state, lucky.state, unlucky.state]).toEqual(['pending', 'fulfilled', 'rejected']);
    expect(unlucky.reason).toMatchObject({ code: 'ERR_QUEUE_FULL' });
    lucky.value?.release();
    await world.advance(1_000);
    waiter.value?.release();
  }),

  claim('an expired connection is not leased when the timer that closes it is late', async (open) => {
    for (const [jumpMs, reason] of [
      [999, undefined],
      [1_000, 'lifetime'],
    ] as const) {
      const world = open({ maxLifetimeMs: 1_000, idleTimeoutMs: Infinity, random: () => 0 });
      const first = await world.lease();
      first.release();
      world.time.nowMs += jumpMs;
      const second = await world.lease();
      expect(world.connections[0]?.closedFor).toBe(reason);
      second.release();
      if (reason === undefined) await world.end();
    }
  }),

  claim(
    'a connection past its idleTimeoutMs is not leased when its timer is late, nor kept beside one in use',
    async (open) => {
      for (const [jumpMs, reason] of [
        [999, undefined],
        [1_000, 'idle'],
      ] as const) {
        const world = open({ idleTimeoutMs: 1_000 });
        (await world.lease()).release();
        world.time.nowMs += jumpMs;
        const second = await world.lease();
        expect(world.connections[0]?.closedFor).toBe(reason);
        second.release();
        if (reason === undefined) await world.end();
      }
    },
  ),

  claim('a shared connection in use does not reach its idleTimeoutMs', async (open) => {
    const world = open({ leasesPerConnection: 2, idleTimeoutMs: 0 });
    const first = await world.lease();
    const second = await world.lease();
    expect([second.connection.id, world.dials]).toEqual([1, 1]);
    first.release();
    second.release();
  }),

  claim('no more connections are validated than there are waiters', async (open) => {
    let asked = 0;
    const validate = () => {
      asked++;
      return world.time.sleep(5).then(() => true);
    };
    const world = open({ validateAfterIdleMs: 100, hooks: { validate } });
    const leases = [world.acquire(), world.acquire()];
    await world.advance(10);
    for (const { value } of leases) value?.release();
    await world.advance(100);
    const waiter = world.acquire();
    await world.settle();
    expect([asked, world.dials]).toEqual([1, 2]);
    await world.advance(5);
    expect([waiter.state, asked]).toEqual(['fulfilled', 1]);
    waiter.value?.release();
  }),

  claim('the last answer of isAlive decides whether a connection is leased', async (open) => {
    const answers = [false, true];
    const world = open({ max: 1, hooks: { isAlive: () => answers.shift() ?? true } });
    answers.push(true, true);
    (await world.lease()).release();
    answers.splice(0, answers.length, false, true);
    const lease = await world.lease();
    expect([lease.connection.id, world.dials]).toEqual([1, 1]);
    lease.release();
  }),

  claim('a connection that is lost inside its isAlive hook is not leased', async (open) => {
    let asked = 0;
    const isAlive = () => {
      asked++;
      if (asked === 1) return false;
      if (asked === 2) world.connections[0]?.context.lost();
      return true;
    };
    const world = open({ max: 1, hooks: { isAlive } });
    (await world.lease()).release();
    const lease = await world.lease();
    expect([lease.connection.id, world.connections[0]?.closedFor]).toEqual([2, 'lost']);
    lease.release();
  }),

  claim('an exclusive connection without a waiter is kept, although another is idle', async (open) => {
    const world = open({ max: 2 });
    const first = await world.lease();
    const waiter = world.acquire();
    await world.settle();
    first.release();
    await world.settle();
    expect(waiter.value?.connection.id).toBe(1);
    waiter.value?.release();
    await world.advance(10);
    expect(world.stats).toMatchObject({ connected: 2, idle: 2 });
  }),

  claim('a shared connection is kept when it is the only one, and when both were in use', async (open) => {
    const world = open({ max: 2, leasesPerConnection: 2 });
    const controller = new AbortController();
    world.acquire('a', { signal: controller.signal });
    await world.settle();
    controller.abort();
    await world.advance(10);
    expect(world.stats).toMatchObject({ connected: 1, idle: 1 });
    const leases = [world.acquire(), world.acquire(), world.acquire()];
    await world.advance(10);
    for (const { value } of leases) value?.release();
    await world.settle();
    expect(world.stats).toMatchObject({ connected: 2, idle: 2 });
  }),

  claim('a shared connection is never reset, because another lease may use it', async (open) => {
    let resets = 0;
    const reset = () => void resets++;
    const world = open({ leasesPerConnection: 2, hooks: { reset } });
    const [first, second] = [await world.lease(), await world.lease()];
    first.release();
    second.release();
    await world.settle();
    expect([resets, world.stats.idle]).toEqual([0, 1]);
  }),

  claim('destroy() closes the connection without asking isReusable', async (open) => {
    let asked = 0;
    const isReusable = () => ++asked > 0;
    const world = open({ hooks: { isReusable } });
    (await world.lease()).destroy();
    await world.settle();
    expect([asked, world.connections[0]?.closedFor]).toEqual([0, 'error']);
  }),

  claim(
    'a closed pool refuses callers, and closes returned connections for the reason shutdown',
    async (open) => {
      const world = open({ max: 1 });
      const lease = await world.lease();
      const waiter = world.acquire();
      const closed = world.pool.close({ graceMs: Infinity });
      const late = world.acquire();
      await world.settle();
      for (const { reason } of [waiter, late]) {
        expect(reason).toMatchObject({ code: 'ERR_CLOSED', message: 'the connection pool is closed' });
      }
      // Infinity means no timer, not a late one.
      expect(world.time.armed).toBe(0);
      lease.release();
      await closed;
      expect(world.connections[0]?.closedFor).toBe('shutdown');
    },
  ),

  claim('a lease works with `using`, has one signal, and is released once', async (open) => {
    const world = open({ max: 1 });
    {
      using lease = await world.lease();
      expect(lease.signal).toBe(lease.signal);
      expect(lease.released).toBe(false);
    }
    expect(world.stats).toMatchObject({ leased: 0, idle: 1 });
    {
      using lease = await world.lease();
      lease.release();
    }
    expect(world.events.filter(({ type }) => type === 'doubleRelease')).toEqual([]);
    expect(world.stats).toMatchObject({ acquired: 2, idle: 1 });
  }),

  claim('leakWarnAfterMs does not keep the process alive', async (open) => {
    const world = open({ leakWarnAfterMs: 1_000 });
    const lease = await world.lease();
    expect([world.time.foreground, world.time.armed > 0]).toEqual([0, true]);
    lease.release();
  }),

  claim(
    'a busy connection whose slot another key takes is closed for the reason rebalanced',
    async (open) => {
      const world = open({ max: 1 });
      const holder = await world.lease('a');
      const next = world.acquire('a');
      const starving = world.acquire('b');
      await world.advance(200);
      holder.release();
      await world.advance(10);
      expect([world.connections[0]?.closedFor, starving.value?.key]).toEqual(['rebalanced', 'b']);
      starving.value?.release();
      await world.advance(20);
      next.value?.release();
    },
  ),

  claim('a connection that comes back just when it expires is not leased again', async (open) => {
    const world = open({ max: 1, connect: 10, maxLifetimeMs: 1_000, random: () => 0 });
    const startMs = world.time.nowMs;
    const holder = await world.lease();
    const waiter = world.acquire();
    world.time.nowMs = startMs + 10 + 1_000;
    holder.release();
    await world.advance(10);
    expect([world.connections[0]?.closedFor, waiter.value?.connection.id]).toEqual(['lifetime', 2]);
    waiter.value?.release();
  }),

  claim('P14: a shared connection that is being validated gets no new lease', async (open) => {
    const world = open({
      max: 1,
      leasesPerConnection: 2,
      validateAfterIdleMs: 100,
      hooks: { validate: () => world.time.sleep(20).then(() => true) },
    });
    const first = await world.lease();
    await world.advance(150);
    const second = world.acquire();
    await world.advance(10);
    first.release();
    await world.advance(9);
    expect([second.state, world.stats.idle]).toEqual(['pending', 1]);
    await world.advance(1);
    expect(second.value?.connection.id).toBe(1);
    second.value?.release();
  }),

  claim(
    'P3: a connection that allows fewer leases than it has does not hide another that has room',
    async (open) => {
      const world = open({ leasesPerConnection: 2 });
      const leases = [world.acquire(), world.acquire(), world.acquire()];
      await world.advance(10);
      leases[0]?.value?.release();
      leases[1]?.value?.connection.context.capacity(1);
      const lease = world.pool.tryAcquire('a');
      expect([leases[1]?.value?.connection.id, lease?.connection.id]).toEqual([1, 2]);
      lease?.release();
      leases[1]?.value?.release();
      leases[2]?.value?.release();
    },
  ),
];
