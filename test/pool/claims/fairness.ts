import { expect } from 'vitest';
import { claim } from './claim.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);

export const fairness = [
  claim(
    'at the cap an idle connection of another key is evicted for a key that has none (T19)',
    async (open) => {
      const world = open({ max: 1 });
      (await world.lease('a')).release();
      const b = world.acquire('b');
      await world.advance(10);
      expect(b.state).toBe('fulfilled');
      expect(world.connections[0]?.closedFor).toBe('evicted');
      b.value?.release();
    },
  ),

  claim(
    'the least recently used idle connection is evicted first, and no more than are needed',
    async (open) => {
      const world = open({ max: 3 });
      for (const key of ['a', 'b', 'c']) {
        (await world.lease(key)).release();
        await world.advance(1);
      }
      (await world.lease('a')).release();
      const d = world.acquire('d');
      await world.advance(10);
      expect(world.connections.map(({ closedFor }) => closedFor)).toEqual([
        undefined,
        'evicted',
        undefined,
        undefined,
      ]);
      d.value?.release();
    },
  ),

  claim('a cold key beside a hot one that always has waiters is served within 300 ms (T20)', async (open) => {
    const world = open({ max: 4, connect: 10 });
    let over = false;
    let hot = 0;
    const users = times(50).map(async () => {
      while (!over) {
        await world.pool.use('hot', () => world.time.sleep(1));
        hot++;
      }
    });
    await world.advance(1_000);
    const cold = world.acquire('cold');
    await world.advance(300);
    expect(cold.state).toBe('fulfilled');
    expect(world.stats.rebalanced).toBe(1);
    expect(hot).toBeGreaterThan(3_000);
    cold.value?.release();
    over = true;
    await world.advance(100);
    await Promise.all(users);
  }),

  claim(
    'two keys that are always busy share one slot, and take turns of at least one time slice (T21)',
    async (open) => {
      const world = open({ max: 1, connect: 1 });
      let over = false;
      const uses = { a: 0, b: 0 };
      const users = (['a', 'b'] as const).flatMap((key) =>
        times(5).map(async () => {
          while (!over) {
            await world.pool.use(key, () => world.time.sleep(1));
            uses[key]++;
          }
        }),
      );
      await world.advance(2_000);
      expect(Math.min(uses.a, uses.b)).toBeGreaterThan(500);
      expect(world.dials).toBeLessThanOrEqual(21);
      over = true;
      await world.advance(500);
      await Promise.all(users);
    },
  ),

  claim('a key that wants more than it has does not get back what it yields to another', async (open) => {
    const world = open({ max: 2, connect: 1 });
    const warm = await world.lease('warm');
    const first = await world.lease('hot');
    const second = world.acquire('hot');
    await world.advance(200);
    const cold = world.acquire('cold');
    await world.advance(100);
    first.release();
    await world.advance(1);
    expect([cold.state, second.state]).toEqual(['fulfilled', 'pending']);
    cold.value?.release();
    await world.advance(1);
    expect(second.state).toBe('fulfilled');
    second.value?.release();
    warm.release();
  }),

  claim('10,000 keys through 50 slots leave no key behind (T24)', async (open) => {
    const world = open({ max: 50, connect: 1, idleTimeoutMs: 1_000 });
    let served = 0;
    for (const i of times(10_000)) {
      world.pool.use(`key-${i}`, () => {
        served++;
      });
    }
    await world.advance(400);
    expect([served, world.peak]).toEqual([10_000, 50]);
    await world.advance(2_000);
    expect(world.stats).toMatchObject({ total: 0, keys: 0 });
  }),

  claim(
    'P10: per key the order is first come, first served, when other callers abort too (T25)',
    async (open) => {
      const world = open({ max: 1 });
      const holder = await world.lease();
      const order: number[] = [];
      const controllers = times(20).map(() => new AbortController());
      for (const i of times(20)) {
        const { signal } = controllers[i] as AbortController;
        world.pool.use('a', () => order.push(i), { signal }).catch(() => {});
      }
      for (const i of times(20)) if (i % 3 === 0) controllers[i]?.abort();
      holder.release();
      await world.settle();
      expect(order).toEqual(times(20).filter((i) => i % 3 !== 0));
    },
  ),

  claim('an acquire in the turn of a release does not overtake a waiter (T26)', async (open) => {
    const world = open({ max: 1 });
    const holder = await world.lease();
    const waiter = world.acquire();
    holder.release();
    const newcomer = world.acquire();
    await world.settle();
    expect([waiter.state, newcomer.state]).toEqual(['fulfilled', 'pending']);
    waiter.value?.release();
    await world.settle();
    newcomer.value?.release();
  }),

  claim('a fresh connection serves its own key first, even while others starve', async (open) => {
    const world = open({ max: 1, connect: 500 });
    const a = world.acquire('a');
    await world.settle();
    const b = world.acquire('b');
    await world.advance(500);
    expect([a.state, b.state]).toEqual(['fulfilled', 'pending']);
    a.value?.release();
    await world.advance(500);
    expect(b.state).toBe('fulfilled');
    b.value?.release();
  }),

  claim('a starving key whose callers give up leaves the line', async (open) => {
    const world = open({ max: 1, waitTimeoutMs: 1_000 });
    const holder = await world.lease('a');
    const controller = new AbortController();
    world.acquire('b', { signal: controller.signal });
    controller.abort();
    holder.release();
    await world.settle();
    expect(world.stats).toMatchObject({ idle: 1, evicted: 0, rebalanced: 0 });
  }),

  claim(
    'a busy shared connection yields too: it takes no new lease and closes after its last one',
    async (open) => {
      const world = open({ max: 1, leasesPerConnection: 2, connect: 1 });
      const first = world.acquire('hot');
      const second = world.acquire('hot');
      await world.advance(1);
      const cold = world.acquire('cold');
      await world.advance(200);
      first.value?.release();
      const late = world.acquire('hot');
      await world.settle();
      expect([cold.state, late.state]).toEqual(['pending', 'pending']);
      second.value?.release();
      await world.advance(1);
      expect(cold.state).toBe('fulfilled');
      cold.value?.release();
      await world.advance(300);
      late.value?.release();
    },
  ),
];
