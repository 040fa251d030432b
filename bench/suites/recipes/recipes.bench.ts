/**
 * On demand: what the naive code of each recipe costs. `--recipe=<name>` measures one, and `--report` writes the tables of the
 * measured recipes, and every figure that README and the index of the docs repeat.
 */
import { type PostgresServer, startPostgres } from '../../../test/support/engines/postgres.js';
import { type RedisServer, startRedis } from '../../../test/support/engines/redis.js';
import { type FigureTable, recordFigures, writeFigures } from '../../harness/page/figures.js';
import { aligned } from '../../harness/report.js';
import type { Suite } from '../../harness/subjects.js';
import { batches } from './batches.js';
import { cacheRefresh } from './cache-refresh.js';
import { circuitBreaker } from './circuit-breaker.js';
import { connectionPerHost } from './connection-per-host.js';
import { entityCommandQueue } from './entity-command-queue.js';
import { eventLoopWatch } from './event-loop-watch.js';
import { fencing } from './fencing.js';
import { getOrCreate } from './get-or-create.js';
import { gracefulShutdown } from './graceful-shutdown.js';
import { hedgingCost } from './hedging.js';
import { jobExactlyOnce } from './job-exactly-once.js';
import { limitedDispatcher } from './limited-dispatcher.js';
import { llmClientCost } from './llm-client.js';
import { longWork } from './long-work.js';
import { lostUpdate } from './lost-update.js';
import { migrationGuard } from './migration-guard.js';
import { moneyTransfer } from './money-transfer.js';
import { nPlusOne } from './n-plus-one.js';
import { offThread } from './off-thread.js';
import { partialFailures } from './partial-failures.js';
import { rateLimitedApi } from './rate-limited-api.js';
import { readWriteLock } from './read-write-lock.js';
import { type Figure, type RecipeCost, shown } from './recipe.js';
import { requestSignalCost } from './request-signal.js';
import { shardKeys } from './shard-keys.js';
import { singletonWorker } from './singleton-worker.js';
import { stampedeFreeCache } from './stampede-free-cache.js';
import { streamingEtl } from './streaming-etl.js';
import { telemetryQueue } from './telemetry-queue.js';
import { writeSkew } from './write-skew.js';

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
  limitedDispatcher,
  hedgingCost,
  llmClientCost,
  requestSignalCost,
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
    const tables: Record<string, FigureTable> = {};
    try {
      for (const { name, measure } of wanted) {
        tables[name] = tableOf(name, await measure(engines));
        console.log(`\n${aligned(tables[name], false)}`);
      }
    } finally {
      await (await postgres)?.[Symbol.asyncDispose]();
      await (await redis)?.[Symbol.asyncDispose]();
    }
    if (flags['report'] === undefined) return;
    await recordFigures(tables);
    await writeFigures();
  },
};

function tableOf(name: string, figures: readonly Figure[]): FigureTable {
  const columns = Object.keys(figures[0]!).filter((key) => key !== 'what' && key !== 'unit');
  const rows = figures.map((row) => [row.what, ...columns.map((column) => shown(row[column]!, row.unit))]);
  return [[`\`npm run bench -- recipes --recipe=${name}\``, ...columns], ...rows];
}
