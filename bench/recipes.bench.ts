/** On demand: what the naive code of each recipe costs. `--recipe=<name>` measures one. */
import { type PostgresServer, startPostgres } from '../test/support/engines/postgres.js';
import { type RedisServer, startRedis } from '../test/support/engines/redis.js';
import { batches } from './recipes/batches.js';
import { cacheRefresh } from './recipes/cache-refresh.js';
import { circuitBreaker } from './recipes/circuit-breaker.js';
import { connectionPerHost } from './recipes/connection-per-host.js';
import { entityCommandQueue } from './recipes/entity-command-queue.js';
import { eventLoopWatch } from './recipes/event-loop-watch.js';
import { fencing } from './recipes/fencing.js';
import { getOrCreate } from './recipes/get-or-create.js';
import { gracefulShutdown } from './recipes/graceful-shutdown.js';
import { jobExactlyOnce } from './recipes/job-exactly-once.js';
import { longWork } from './recipes/long-work.js';
import { lostUpdate } from './recipes/lost-update.js';
import { migrationGuard } from './recipes/migration-guard.js';
import { moneyTransfer } from './recipes/money-transfer.js';
import { nPlusOne } from './recipes/n-plus-one.js';
import { offThread } from './recipes/off-thread.js';
import { partialFailures } from './recipes/partial-failures.js';
import { rateLimitedApi } from './recipes/rate-limited-api.js';
import { readWriteLock } from './recipes/read-write-lock.js';
import type { RecipeCost } from './recipes/recipe.js';
import { shardKeys } from './recipes/shard-keys.js';
import { singletonWorker } from './recipes/singleton-worker.js';
import { stampedeFreeCache } from './recipes/stampede-free-cache.js';
import { streamingEtl } from './recipes/streaming-etl.js';
import { telemetryQueue } from './recipes/telemetry-queue.js';
import { writeSkew } from './recipes/write-skew.js';
import { aligned } from './report.js';
import type { Suite } from './subjects.js';

const all: readonly RecipeCost[] = [
  batches,
  offThread,
  streamingEtl,
  circuitBreaker,
  connectionPerHost,
  rateLimitedApi,
  gracefulShutdown,
  cacheRefresh,
  entityCommandQueue,
  fencing,
  getOrCreate,
  jobExactlyOnce,
  lostUpdate,
  migrationGuard,
  moneyTransfer,
  nPlusOne,
  singletonWorker,
  writeSkew,
  partialFailures,
  telemetryQueue,
  stampedeFreeCache,
  readWriteLock,
  shardKeys,
  eventLoopWatch,
  longWork,
];

export const recipes: Suite = {
  name: 'recipes',
  onDemand: true,
  printsItself: true,
  async run(_measure, flags) {
    const wanted = all.filter(({ name }) => flags['recipe'] === undefined || flags['recipe'] === name);
    if (wanted.length === 0) {
      throw new Error(`no recipe ${flags['recipe']}; there are ${all.map(({ name }) => name).join(', ')}`);
    }
    let postgres: Promise<PostgresServer> | undefined;
    let redis: Promise<RedisServer> | undefined;
    const engines = {
      postgres: () => (postgres ??= startPostgres()),
      redis: () => (redis ??= startRedis()),
    };
    const rows = [['recipe', 'naive', 'recipe', 'what']];
    try {
      for (const { name, measure } of wanted) {
        for (const { what, naive, recipe } of await measure(engines)) {
          rows.push([name, shown(naive), shown(recipe), what]);
        }
      }
    } finally {
      await (await postgres)?.[Symbol.asyncDispose]();
      await (await redis)?.[Symbol.asyncDispose]();
    }
    console.log(`\nWhat the naive code costs, and the recipe\n${aligned(rows, true)}`);
  },
};

function shown(figure: number | string): string {
  return typeof figure === 'string' ? figure : Math.round(figure).toLocaleString('en-US');
}
