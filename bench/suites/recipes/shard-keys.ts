import { Redis } from 'ioredis';
import { serverFor as naively } from '../../../docs/recipes/naive/shard-keys.js';
import { serverFor } from '../../../docs/recipes/shard-keys.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const keys = Array.from({ length: 20_000 }, (_, i) => `user:${i}`);
const six = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `cache-${name}`);
const five = six.slice(0, 5);

export const shardKeys: RecipeCost = {
  name: 'shard-keys',
  async measure(engines) {
    const { connectionOptions } = await engines.redis();
    // Six servers are six databases of one.
    const caches = new Map(six.map((name, db) => [name, new Redis({ ...connectionOptions, db })]));
    const misses = async (way: typeof serverFor, servers: readonly string[]) => {
      await caches.get('cache-a')?.flushall();
      await Promise.all(keys.map((key) => caches.get(way(key, five))?.set(key, 'a value')));
      const got = await Promise.all(keys.map((key) => caches.get(way(key, servers))?.get(key)));
      return got.filter((value) => value === null).length;
    };
    const nsPerKey = async (way: typeof serverFor) =>
      ((await elapsedMs(async () => keys.forEach((key) => void way(key, five)))) / keys.length) * 1e6;
    const reversed = [...five].reverse();
    const size = keys.length.toLocaleString('en-US');
    try {
      return [
        {
          what: `misses of ${size} gets, when five servers become six`,
          naive: await misses(naively, six),
          recipe: await misses(serverFor, six),
        },
        {
          what: `misses of ${size} gets, when the same five are listed in another order`,
          naive: await misses(naively, reversed),
          recipe: await misses(serverFor, reversed),
        },
        {
          what: 'time to find the server of a key',
          unit: 'ns',
          naive: await nsPerKey(naively),
          recipe: await nsPerKey(serverFor),
        },
      ];
    } finally {
      for (const cache of caches.values()) cache.disconnect();
    }
  },
};
