import pg from 'pg';
import { Cache as NaiveCache } from '../../../docs/recipes/naive/stampede-free-cache.js';
import { Cache } from '../../../docs/recipes/stampede-free-cache.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const requests = 400;
const options = { max: 100, ttl: 60_000 };

interface Page {
  readonly html: string;
}

export const stampedeFreeCache: RecipeCost = {
  name: 'stampede-free-cache',
  async measure(engines) {
    const { connectionOptions } = await engines.postgres();
    const pool = new pg.Pool({ ...connectionOptions, max: 10 });
    pool.on('error', () => {});
    let queries = 0;
    const load = async () => {
      queries++;
      const { rows } = await pool.query<Page>("select 'the front page' as html from pg_sleep(0.05)");
      return rows[0] as Page;
    };
    const stampede = async (cache: { get(key: string): Promise<Page> }) => {
      queries = 0;
      const tookMs = await elapsedMs(() =>
        Promise.all(Array.from({ length: requests }, () => cache.get('/'))),
      );
      return { queries, tookMs };
    };
    try {
      // Connected beforehand.
      await Promise.all(Array.from({ length: 10 }, load));
      const naive = await stampede(new NaiveCache(load, options));
      const recipe = await stampede(new Cache(load, options));
      return [
        { what: `queries for ${requests} requests`, naive: naive.queries, recipe: recipe.queries },
        {
          what: 'time until the last request has its page',
          unit: 'ms',
          naive: naive.tookMs,
          recipe: recipe.tookMs,
        },
      ];
    } finally {
      await pool.end();
    }
  },
};
