import { Redis } from 'ioredis';
import { RedisMutex } from 'latchkey/redis';
import { SharedCache } from '../../../docs/recipes/cache-refresh.js';
import { cached } from '../../../docs/recipes/naive/cache-refresh.js';
import { ioredisClients } from '../../../test/remote-locks/support/redis-clients.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const [replicaCount, requests] = [4, 100];

export const cacheRefresh: RecipeCost = {
  name: 'cache-refresh',
  async measure(engines) {
    const { connectionOptions } = await engines.redis();
    await using database = replicasOf(await engines.postgres());
    const [pool] = database.pools;
    await pool.query('drop table if exists prices');
    await pool.query(
      'create table prices as select n as id, n * 7 % 1000 as cents from generate_series(1, 300000) as n',
    );
    await using clients = ioredisClients(connectionOptions);
    const redis = new Redis(connectionOptions);
    const store = {
      get: (key: string) => redis.get(key),
      set: (key: string, value: string) => redis.set(key, value, 'PX', 60_000),
    };
    let rebuilt = 0;
    async function rebuild(): Promise<string> {
      rebuilt++;
      const sql = 'select cents % 100 as tariff, sum(cents) as total from prices group by 1 order by 1';
      return JSON.stringify((await pool.query(sql)).rows);
    }
    const caches = Array.from(
      { length: replicaCount },
      () => new SharedCache(store, new RedisMutex(clients.send, { subscribe: clients.subscribe })),
    );
    async function asked(way: (n: number) => Promise<string>) {
      await redis.flushall();
      rebuilt = 0;
      const ms = await elapsedMs(() => Promise.all(Array.from({ length: requests }, (_, n) => way(n))));
      return { ms, rebuilt };
    }
    try {
      const naive = await asked(() => cached(store, 'prices', rebuild));
      const recipe = await asked((n) => caches[n % replicaCount]!.get('prices', rebuild));
      return [
        {
          what: `rebuilds when the entry has expired; ${requests} requests, ${replicaCount} replicas`,
          naive: naive.rebuilt,
          recipe: recipe.rebuilt,
        },
        {
          what: 'time until the last request is answered; one query over 300,000 rows',
          unit: 'ms',
          naive: naive.ms,
          recipe: recipe.ms,
        },
      ];
    } finally {
      redis.disconnect();
    }
  },
};
