/**
 * `npm run bench [-- filter ...]`: runs the suites, prints their tables and writes bench/results/latest.json. A filter
 * is part of a suite's name (`pool`) or a word of a table's title (`B3`); without one, all runs but what is on demand.
 * What looks like `--name=value` is for the suite.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { adaptiveFleet } from './adaptive/real/fleet.bench.js';
import { adaptiveHttp } from './adaptive/real/http.bench.js';
import { adaptivePostgres } from './adaptive/real/postgres.bench.js';
import { adaptive } from './adaptive.bench.js';
import { connectionPool } from './connection-pool.bench.js';
import { postgresLocks } from './distributed/postgres-locks.bench.js';
import { redisLocks } from './distributed/redis.bench.js';
import { gatherSettled } from './gather-settled.bench.js';
import { keyedMutex } from './keyed-mutex.bench.js';
import { type Measured, measure } from './measure.js';
import { mutex } from './mutex.bench.js';
import { postgres } from './postgres.bench.js';
import { printTable, printTargets } from './report.js';
import { retry } from './retry.bench.js';
import { semaphore } from './semaphore.bench.js';
import type { Case, Suite } from './subjects.js';

const suites: readonly Suite[] = [
  mutex,
  keyedMutex,
  semaphore,
  gatherSettled,
  retry,
  connectionPool,
  postgres,
  adaptive,
  adaptiveHttp,
  adaptivePostgres,
  adaptiveFleet,
  redisLocks,
  postgresLocks,
];
const resultsFile = new URL('../../results/latest.json', import.meta.url);

interface Result {
  readonly suite: string;
  readonly title: string;
  readonly shows: string;
  readonly rows: readonly Measured[];
}

const flags = Object.fromEntries(
  process.argv.slice(2).flatMap((word) => {
    const [, name, value] = /^--([^=]+)=(.*)$/.exec(word) ?? [];
    return name === undefined ? [] : [[name, value ?? '']];
  }),
);
const filters = process.argv
  .slice(2)
  .filter((word) => !word.startsWith('--'))
  .map((filter) => filter.toLowerCase());
const startedMs = performance.now();
const results: Result[] = [];
const machine = {
  node: process.version,
  flags: process.execArgv,
  cores: availableParallelism(),
  commit: commit(),
  date: new Date().toISOString(),
};

console.log(
  `latchkey ${machine.commit}, Node ${machine.node} ${machine.flags.join(' ')}, ${machine.cores} cores, ${machine.date}`,
);
console.log('Times are medians, ± half the quartile distance. Compare ratios, not times.');
const wanted = suites.filter(isWanted);
for (const suite of wanted) await suite.run((table) => record(suite, table), flags);
if (results.length === 0 && wanted.some(({ printsItself }) => printsItself)) process.exit();
if (results.length === 0) {
  const names = suites.map(({ name }) => name).join(', ');
  console.error(
    `Nothing is called ${filters.join(' or ')}. There are ${names}, and words of a table's title.`,
  );
  process.exit(1);
}
printTargets(results);
await writeResults();
console.log(`\n${Math.round((performance.now() - startedMs) / 1_000)} s; bench/results/latest.json`);
// Some pools cannot be told to let the process go.
process.exit();

/** A filter that is a suite's name or part of it means that suite; any other may be part of a table's title. */
function isWanted(suite: Suite): boolean {
  if (filters.length === 0) return suite.onDemand !== true;
  return filters.some((filter) => names(filter, suite) || (namesNothing(filter) && suite.onDemand !== true));
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

async function record(suite: Suite, table: Case): Promise<void> {
  const wanted = filters.some((filter) => names(filter, suite) || hasWords(table.title, filter));
  if (filters.length > 0 && !wanted) return;
  const rows = await measure(table);
  results.push({ suite: suite.name, title: table.title, shows: table.shows, rows });
  printTable(table, rows);
}

async function writeResults(): Promise<void> {
  await mkdir(new URL('.', resultsFile), { recursive: true });
  await writeFile(resultsFile, `${JSON.stringify({ ...machine, results }, undefined, 2)}\n`);
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    return 'outside git';
  }
}
