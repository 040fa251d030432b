import { expect, test } from 'vitest';
import { Cache as NaiveCache } from '../../docs/recipes/naive/stampede-free-cache.js';
import { Cache } from '../../docs/recipes/stampede-free-cache.js';

test('stampede-free-cache: four hundred requests load once, a failure is not kept, a value is', async () => {
  let loads = 0;
  const cache = new Cache(
    async (key) => {
      loads++;
      await new Promise((resolve) => setImmediate(resolve));
      if (loads === 1) throw new Error('database away');
      return { key, loads };
    },
    { max: 10, ttl: 60_000 },
  );
  await expect(cache.get('/')).rejects.toThrow('database away');
  const got = await Promise.all(Array.from({ length: 400 }, () => cache.get('/')));
  expect(new Set(got)).toEqual(new Set([{ key: '/', loads: 2 }]));
  expect(await cache.get('/')).toEqual({ key: '/', loads: 2 });
  expect(loads).toBe(2);
});

test('stampede-free-cache: the naive way loads four hundred times', async () => {
  let loads = 0;
  const cache = new NaiveCache(
    async (key) => {
      loads++;
      await new Promise((resolve) => setImmediate(resolve));
      return { key };
    },
    { max: 10, ttl: 60_000 },
  );
  await Promise.all(Array.from({ length: 400 }, () => cache.get('/')));
  expect(loads).toBe(400);
});
