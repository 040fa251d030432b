/** All suites, and which of them and of their tables somebody means. */
import { adaptiveFleet } from './adaptive/real/fleet.bench.js';
import { adaptiveHttp } from './adaptive/real/http.bench.js';
import { adaptivePostgres } from './adaptive/real/postgres.bench.js';
import { adaptive } from './adaptive.bench.js';
import { connectionPool } from './connection-pool.bench.js';
import { crowds } from './crowds.bench.js';
import { diagnostics } from './diagnostics.bench.js';
import { postgresLocks } from './distributed/postgres-locks.bench.js';
import { redisLocks } from './distributed/redis.bench.js';
import { gatherSettled } from './gather-settled.bench.js';
import { growth } from './growth.bench.js';
import { keyedMutex } from './keyed-mutex.bench.js';
import { memory } from './memory.bench.js';
import { mutex } from './mutex.bench.js';
import { postgres } from './postgres.bench.js';
import { recipes } from './recipes.bench.js';
import { retry } from './retry.bench.js';
import { semaphore } from './semaphore.bench.js';
import { size } from './size.bench.js';
import type { Suite } from './subjects.js';

export const suites: readonly Suite[] = [
  mutex,
  keyedMutex,
  semaphore,
  gatherSettled,
  retry,
  connectionPool,
  diagnostics,
  crowds,
  memory,
  growth,
  size,
  postgres,
  adaptive,
  adaptiveHttp,
  adaptivePostgres,
  adaptiveFleet,
  redisLocks,
  postgresLocks,
  recipes,
];

/** What the report and the check are about. */
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
