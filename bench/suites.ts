/** All suites, and the selection of suites and tables by filters. */

import type { Suite } from './harness/subjects.js';
import { gatherSettled } from './suites/gather/gather-settled.bench.js';
import { adaptive } from './suites/limit/adaptive.bench.js';
import { adaptiveFleet } from './suites/limit/real/fleet.bench.js';
import { adaptiveHang } from './suites/limit/real/hang.bench.js';
import { adaptiveHttp } from './suites/limit/real/http.bench.js';
import { adaptivePostgres } from './suites/limit/real/postgres.bench.js';
import { keyedMutex } from './suites/locks/keyed-mutex.bench.js';
import { mutex } from './suites/locks/mutex.bench.js';
import { semaphore } from './suites/locks/semaphore.bench.js';
import { machine } from './suites/machine/machine.bench.js';
import { overloadHttp } from './suites/overload/http/http.bench.js';
import { overload } from './suites/overload/orders.bench.js';
import { crowds } from './suites/package/crowds.bench.js';
import { growth } from './suites/package/growth.bench.js';
import { loading } from './suites/package/loading.bench.js';
import { memory } from './suites/package/memory.bench.js';
import { size } from './suites/package/size.bench.js';
import { connectionPool } from './suites/pool/connection-pool.bench.js';
import { timelines } from './suites/pool/timelines.bench.js';
import { knexPools, pgPools } from './suites/postgres/adapters.bench.js';
import { postgres } from './suites/postgres/postgres.bench.js';
import { postgresLocks } from './suites/postgres/postgres-locks.bench.js';
import { recipes } from './suites/recipes/recipes.bench.js';
import { redisLocks } from './suites/redis/redis.bench.js';
import { retryNesting } from './suites/retry/nesting.bench.js';
import { retry } from './suites/retry/retry.bench.js';
import { diagnostics } from './suites/runtime/diagnostics.bench.js';
import { service } from './suites/service/service.bench.js';
import { watching } from './suites/watch/watch.bench.js';

export const suites: readonly Suite[] = [
  mutex,
  keyedMutex,
  semaphore,
  gatherSettled,
  retry,
  retryNesting,
  connectionPool,
  timelines,
  service,
  diagnostics,
  watching,
  crowds,
  memory,
  growth,
  loading,
  size,
  postgres,
  knexPools,
  pgPools,
  adaptive,
  adaptiveHttp,
  adaptiveHang,
  adaptivePostgres,
  adaptiveFleet,
  machine,
  overload,
  overloadHttp,
  redisLocks,
  postgresLocks,
  recipes,
];

/** The suites of the report and of the check. */
export function isReported(suite: Suite): boolean {
  return suite.reported === true || suite.onDemand !== true;
}

/** A filter that is a suite's name or part of it means that suite; any other may be part of a table's title. */
export function isWanted(suite: Suite, filters: readonly string[]): boolean {
  if (filters.length === 0) return suite.onDemand !== true;
  return filters.some((filter) => names(filter, suite) || (namesNothing(filter) && suite.onDemand !== true));
}

export function isWantedTable(suite: Suite, title: string, filters: readonly string[]): boolean {
  return filters.length === 0 || filters.some((filter) => names(filter, suite) || hasWords(title, filter));
}

/** `mutex` is the mutex, not the keyed mutex too. */
function names(filter: string, suite: Suite): boolean {
  const exact = suites.some(({ name }) => name === filter);
  return exact ? suite.name === filter : suite.name.includes(filter);
}

function namesNothing(filter: string): boolean {
  return !suites.some((suite) => names(filter, suite));
}

/** Whole words, so that B1 is not B10. */
function hasWords(title: string, filter: string): boolean {
  const words = title.toLowerCase().split(/[^a-z0-9,.()]+/);
  return filter.split(/\s+/).every((word) => words.some((other) => other.replace(/[,.:]$/, '') === word));
}
