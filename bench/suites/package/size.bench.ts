/** The bytes that a browser or a cold start loads: bundled with dependencies, minified and gzipped by esbuild. */
import { fileURLToPath } from 'node:url';
import { gzippedBytes } from '../../harness/bundle.js';
import type { Case, Subject, Suite, Target } from '../../harness/subjects.js';
import { bytesAtMost } from '../../harness/targets.js';

const root = fileURLToPath(new URL('../../../../../', import.meta.url));

/** A package, and the exports that are used. */
type Imports = Readonly<Record<string, readonly string[]>>;

const kibibyte = 1024;
const onePrimitive = bytesAtMost(3.5 * kibibyte);
const laws = [
  'AdaptiveSemaphore',
  'ElasticLimit',
  'VegasLimit',
  'AimdLimit',
  'littlesLaw',
  'classifyOutcome',
];
const other = ['Mutex', 'KeyedMutex', 'Semaphore', 'ConnectionPool', 'gatherSettled', 'retry', 'RetryBudget'];

function table(what: string, shows: string, subjects: readonly Subject[]): Case {
  return { title: `Size: ${what}`, shows, unit: 'bytes', time: 'gzipped', rounds: 2, warmups: 0, subjects };
}

function ours(name: string, exports: readonly string[], ...targets: Target[]): Subject {
  return bundle(name, 'latchkey', { latchkey: exports }, targets);
}

function peer(name: string, exports: readonly string[], packageName = name): Subject {
  return bundle(name, 'peer', { [packageName]: exports }, []);
}

function bundle(name: string, role: Subject['role'], imports: Imports, targets: readonly Target[]): Subject {
  const options = { resolveDir: root, platform: 'node' } as const;
  const sample = async () => ({ cost: await gzippedBytes(programOf(imports), options) });
  return { name, role, targets, sample };
}

/** A program that exports them again: no bundler may leave them out. */
function programOf(imports: Imports): string {
  return Object.entries(imports)
    .map(([from, names], i) => `export { ${names.map((name) => `${name} as ${name}${i}`)} } from '${from}';`)
    .join('\n');
}

const tables: readonly Case[] = [
  table('a lock', 'One at a time.', [
    ours('latchkey', ['Mutex'], onePrimitive),
    peer('async-mutex', ['Mutex']),
  ]),
  table('a lock per key', 'One at a time for each key.', [
    ours('latchkey', ['KeyedMutex'], onePrimitive),
    peer('async-lock', ['default']),
  ]),
  table('a limit', 'A limit on concurrency.', [
    ours('latchkey', ['Semaphore'], onePrimitive),
    ours('latchkey AdaptiveSemaphore', ['AdaptiveSemaphore']),
    peer('async-mutex', ['Semaphore']),
    peer('async-sema', ['Sema']),
    peer('p-limit', ['default']),
    peer('p-queue', ['default']),
    peer('cockatiel', ['bulkhead']),
    peer('bottleneck', ['default']),
  ]),
  table('a pool of connections', 'Theirs are for one host, ours is for all.', [
    ours('latchkey', ['ConnectionPool']),
    peer('generic-pool', ['createPool']),
    peer('tarn', ['Pool']),
    peer('lightning-pool', ['Pool']),
    peer('sequelize-pool', ['Pool']),
  ]),
  table('a batch', 'Many items, a bounded number at a time, and the outcome of each.', [
    ours('latchkey', ['gatherSettled'], onePrimitive),
    peer('p-map', ['pMapSettled']),
    peer('p-settle', ['default']),
  ]),
  table('retries', 'With backoff and jitter.', [
    ours('latchkey', ['retry'], onePrimitive),
    peer('p-retry', ['default']),
    peer('cockatiel', ['retry', 'handleAll', 'ExponentialBackoff']),
  ]),
  table(
    'all of it',
    'Beside async-mutex, async-lock, p-limit, generic-pool, p-map and p-retry, all of them.',
    [
      ours('latchkey', [...other, ...laws], bytesAtMost(12 * kibibyte)),
      ours('latchkey, without adaptive limits', other),
      ours('latchkey, the three locks', ['Mutex', 'KeyedMutex', 'Semaphore']),
      bundle(
        'a package for each task',
        'peer',
        {
          'async-mutex': ['Mutex'],
          'async-lock': ['default'],
          'p-limit': ['default'],
          'generic-pool': ['createPool'],
          'p-map': ['pMapSettled'],
          'p-retry': ['default'],
        },
        [],
      ),
    ],
  ),
];

export const size: Suite = {
  name: 'size',
  onDemand: true,
  reported: true,
  async run(measure) {
    for (const each of tables) await measure(each);
  },
};
