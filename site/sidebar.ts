/** Which page answers which question: the sidebar of the site, and the order of `llms.txt`. */

export interface Question {
  readonly text: string;
  /** Places in the site, without `.md`. */
  readonly pages: readonly string[];
}

export const questions: readonly Question[] = [
  {
    text: 'Where do I start?',
    pages: ['index', 'getting-started', 'problems', 'which-lock', 'timelines', 'module-settings', 'workers'],
  },
  {
    text: 'How do I let one at a time through?',
    pages: [
      'mutex',
      'keyed-mutex',
      'single-flight',
      'recipes/money-transfer',
      'recipes/read-write-lock',
      'recipes/stampede-free-cache',
    ],
  },
  {
    text: 'How do I limit load?',
    pages: [
      'semaphore',
      'adaptive-semaphore',
      'overload',
      'recipes/admission',
      'recipes/limited-dispatcher',
      'recipes/llm-client',
      'recipes/rate-limited-api',
      'recipes/hedging',
      'recipes/circuit-breaker',
      'recipes/n-plus-one',
      'recipes/shard-keys',
    ],
  },
  {
    text: 'How do I reuse connections?',
    pages: [
      'connection-pool',
      'recipes/connection-per-host',
      'recipes/connection-pg-pool',
      'recipes/connection-knex',
      'recipes/connection-sequelize',
    ],
  },
  {
    text: 'How do I run a batch, or retry?',
    pages: [
      'gather-settled',
      'retry',
      'bounded-queue',
      'recipes/partial-failures',
      'recipes/batches',
      'recipes/streaming-etl',
      'recipes/telemetry-queue',
      'recipes/request-signal',
      'recipes/graceful-shutdown',
    ],
  },
  {
    text: 'How do I lock across processes?',
    pages: [
      'postgres',
      'redis',
      'machine',
      'recipes/job-exactly-once',
      'recipes/singleton-worker',
      'recipes/fencing',
      'recipes/lost-update',
      'recipes/write-skew',
      'recipes/get-or-create',
      'recipes/entity-command-queue',
      'recipes/migration-guard',
      'recipes/cache-refresh',
      'recipes/lock-on-sqlite',
      'recipes/machine-cli',
      'recipes/machine-cluster',
      'recipes/machine-worker-threads',
    ],
  },
  {
    text: 'Why does it fail, hang or wait?',
    pages: [
      'errors',
      'watch',
      'diagnostics',
      'event-loop',
      'recipes/event-loop-watch',
      'recipes/long-work',
      'recipes/off-thread',
    ],
  },
  { text: 'How do I test it?', pages: ['testing'] },
  {
    text: 'How do I come from another package?',
    pages: [
      'migrating/async-lock',
      'migrating/async-mutex',
      'migrating/async-retry',
      'migrating/async-sema',
      'migrating/bottleneck',
      'migrating/generic-pool',
      'migrating/p-limit',
      'migrating/p-map',
      'migrating/p-queue',
      'migrating/p-retry',
      'migrating/p-settle',
      'migrating/redis-semaphore',
      'migrating/redlock',
      'migrating/sequelize-pool',
      'migrating/tarn',
    ],
  },
  {
    text: 'Can I rely on it?',
    pages: ['benchmarks', 'proof', 'design', 'security', 'contributing', 'changelog'],
  },
];

/** The questions, and the pages of the reference as the last one. Every page has to be in it, once. */
export function withReference(files: readonly string[]): Question[] {
  const reference = files.filter((file) => file.startsWith('api/')).map((file) => file.replace(/\.md$/, ''));
  const all = [...questions, { text: 'API', pages: reference }];
  const listed = all.flatMap(({ pages }) => pages).sort();
  const there = files.map((file) => file.replace(/\.md$/, '')).sort();
  const wrong = [
    ...there.filter((page) => !listed.includes(page)).map((page) => `${page} is in no question`),
    ...listed.filter((page) => !there.includes(page)).map((page) => `${page} is not a page`),
    ...listed.filter((page, i) => page === listed[i - 1]).map((page) => `${page} is there twice`),
  ];
  if (wrong.length > 0) throw new Error(`site/sidebar.ts: ${wrong.join('; ')}`);
  return all;
}
