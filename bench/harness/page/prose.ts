/** What the page says beside the figures. Nothing here is a figure: those are filled in from the run. */
import type { Run } from '../results.js';

export const suiteNames: Readonly<Record<string, string>> = {
  mutex: 'Mutex',
  'keyed-mutex': 'KeyedMutex',
  semaphore: 'Semaphore',
  'gather-settled': 'gatherSettled',
  retry: 'retry',
  'connection-pool': 'ConnectionPool',
  diagnostics: 'Diagnostics',
  crowds: 'Crowds, without the collector',
  memory: 'Memory',
  growth: 'Growth',
  size: 'Size',
};

export function opening({ node, flags, cores, commit, date }: Run): string {
  const given = flags.length === 0 ? '' : ` ${flags.join(' ')}`;
  return `# Benchmarks

<!-- Written by \`npm run bench -- --report\`: change bench/page/ instead. -->

Measured on Node ${node}${given}, ${cores} cores, at commit ${commit}, on ${date.slice(0, 10)}, by

\`\`\`sh
npm ci && npm run bench -- --report    # all of this page, some minutes; \`npm run bench -- mutex\` for one section
\`\`\`

The packages beside ours have the versions in \`package.json\`. Node 22 and later move the contended rows by up to 2x, and
p-retry's from 150x to 5x: a figure here is of this Node.`;
}

export const howToRead = `## How to read it

- **The floor** is the same work without what is measured: a bare \`await task()\`, or a promise per caller, resolved in
  turn. No lock can be cheaper and still be one. Where a naive version falls below it, it does less: the promise chain has
  no limit, no queue to leave and no timeout.
- **vs floor** is the figure to compare. It is the median of the ratios inside each round, so that whatever slows the
  machine down slows both sides of it; between the **quartiles** lie half of the rounds. Times are for scale: they
  change with the machine, ratios hardly do. **±** is half the quartile distance of the times.
- **Rounds** run all subjects of a table in a newly shuffled order, each with a loop compiled for it alone; the first are
  thrown away. Each section runs in a process of its own.
- **Crowds** leave so much behind that a sample which meets the garbage collector may take twice as long as one that does
  not: their quartiles are wide. Those of 10,000 are measured twice, as a service meets them, and in a section of their own
  with a young generation of 128 MB (\`--min-semi-space-size=128 --max-semi-space-size=128\`), which no sample fills.
- **In the pictures** a dot is a median, its whiskers are the quartiles. Their axis is one of powers; bytes are bars that
  begin at nothing.
- A row of ours that is not called plain \`latchkey\` is a variation, and says which.
- A difference below some 5 %, or one inside the quartiles, is nothing.`;

/** By table: what its rows mean for a service. */
export const meanings: Readonly<Record<string, string>> = {
  'Mutex: run(task), uncontended':
    'A service pays this on every call that a lock protects, also when it is alone: the difference to the floor, times the calls per second, is its share of a core. At 10,000 calls a second 100 ns are a thousandth.',
  'Mutex: acquire() and release(), uncontended':
    'For code that cannot be put into one function. `tryAcquire() ?? await acquire()` costs next to nothing while the lock is free.',
  'Mutex: 1,000 callers at once for one lock':
    'A burst that meets one lock: how long the process does nothing else is the figure times the callers.',
  'Mutex: 100,000 callers at once for one lock':
    'The day the backend stands still and everybody queues: a lock that is quadratic here takes the process with it. Most of it is the garbage collector, in every row.',
  'KeyedMutex: run(key, task), uncontended, 1,024 keys in turn':
    'A lock per user, order or file: what each operation on one of them pays.',
  'KeyedMutex: 100,000 distinct keys at once':
    'Keys that are kept are a leak that grows with the number of users who were ever seen.',
  'KeyedMutex: 1,000 keys x 100 callers at once':
    'Many requests for few objects, as after a deploy. The floor has no lock at all, and no queue: what is above it is the waiting.',
  'KeyedMutex: the entry alone, 1,024 keys in turn':
    'No keyed lock can be below this. A `Map` that empties and fills again all the time is rebuilt all the time; one that keeps a quarter of itself in use is not, and ours does.',
  'Semaphore: limit 10 over 10,000 tasks that wait a setImmediate each':
    'A limit in front of a backend. Real calls last milliseconds: beside them the difference between the rows is nothing.',
  'Semaphore: 10,000 waiters aborted through one signal':
    'A shutdown, or a parent request that is cancelled. At 30 us a waiter, ten thousand of them block the process for 0.3 s.',
  'Semaphore: 100,000 waiters aborted through one signal':
    'The same ten times as large; who keeps a listener per waiter is not shown, for it takes minutes.',
  'Semaphore: 10,000 waiters aborted in random order, a signal each':
    'Clients that hang up while they wait. Most of the time is what Node takes for an event per signal.',
  'Semaphore: 100,000 waiters aborted in random order, a signal each': 'The same ten times as large.',
  'Semaphore: 10,000 waiters with a timeout that never fires':
    'A timeout on every wait is good practice only if it costs next to nothing when all goes well.',
  'Semaphore: 100,000 waiters with a timeout that never fires': 'The same ten times as large.',
  'gatherSettled: 10,000 items, 100 at a time, a tiny task':
    'A batch over items that are in memory already: what is measured is the bounding alone.',
  'gatherSettled: 10,000 items, 100 at a time, a task that waits a setImmediate':
    'A batch with some work per item: fewer at once is also less memory, and is faster than all at once as soon as that meets the collector. Without the collector a hundred turns of the event loop cost more than one, whoever takes them.',
  'retry: a task that succeeds at once': 'Every healthy call pays it, and almost all calls are healthy.',
  'B6 ConnectionPool: acquire() and release() of an idle connection, in memory':
    'What a pool adds to a query that finds its connection ready. A query over a socket takes 100 us and more.',
  'B6 ConnectionPool: the clock alone, in memory':
    'Two of the multiples above are the clock. Looking it up once and for all would save some, but fake timers and simulators, which replace the globals, would not reach it any more.',
  'B7 ConnectionPool: 1,000 requests at once for 10 connections, in memory':
    'What the queue adds per request when all connections are busy.',
  'Memory: a caller who waits in acquire()':
    'A million callers in a queue take so many megabytes; a limit on the queue (`maxWaiting`) is the better answer.',
  'Memory: a key that was used once':
    'Anything but nothing is a leak: it grows with every user, file or order that was ever locked.',
  'Size: all of it':
    'What the locks have in common is bundled once. Who does not import the adaptive limits does not ship them.',
  'Memory: a pool without connections':
    'Ours has one object for all hosts; the others need one per host, and no cap spans them.',
};

export interface Reason {
  readonly peers: readonly string[];
  /** How the table's title begins. */
  readonly table: string;
  readonly why: string;
}

const pools = ['generic-pool', 'tarn', 'lightning-pool'];
const poolsPerHost = pools.map((name) => `${name} per host`);

/** Why somebody else is ahead in a table; the first that fits is told. */
export const reasons: readonly Reason[] = [
  {
    peers: ['async-sema'],
    table: 'Mutex: acquire()',
    why: 'It hands out no permit: a second release admits one too many, and nobody can give up. Ours is an object that releases once.',
  },
  {
    peers: ['async-sema', 'cockatiel', 'p-limit'],
    table: 'Semaphore: limit 10',
    why: 'None of them can take a waiter out of its queue. A queued `run` of ours is an entry that can leave, a promise for the wait, and a reaction that starts the task in a turn of its own and in its caller’s async context.',
  },
  {
    peers: ['async-lock'],
    table: 'KeyedMutex: 1,000 keys',
    why: 'It starts the next task inside the release of the one before, in that one’s async context; ours starts in a turn of its own, in its caller’s.',
  },
  {
    peers: ['p-queue'],
    table: 'Semaphore: 10,000 waiters aborted in random order',
    why: 'It searches its queue, which is cheap as long as the queue is short, beside Node’s event per signal: see Growth.',
  },
  {
    peers: ['cockatiel'],
    table: 'retry: a herd',
    why: 'Its default is decorrelated jitter, ours full jitter. This herd, all of which failed together, it spreads better; `decorrelated()` is there, too.',
  },
  {
    peers: ['cockatiel', 'p-retry'],
    table: 'retry: an outage',
    why: 'The time is that of the longest pause, which chance draws; the calls are what counts here.',
  },
  {
    peers: ['async-lock', 'async-sema', 'cockatiel', 'p-limit', 'p-queue'],
    table: 'Memory: a caller who waits in run',
    why: 'Its entry has nothing by which a waiter could leave the queue in one step.',
  },
  {
    peers: ['async-lock', 'async-mutex'],
    table: 'Memory: a lock that nobody uses',
    why: 'It makes its queue when the first caller waits.',
  },
  {
    peers: ['async-mutex', 'async-sema', 'cockatiel', 'p-queue'],
    table: 'Memory: a limit that nobody uses',
    why: 'Ours makes its queue at once. A semaphore per host is a hundred of them, not a million.',
  },
  {
    peers: pools,
    table: 'Size:',
    why: 'It is for one host: no cap spans several, and nothing is fair between them.',
  },
  {
    peers: ['async-mutex', 'async-lock', 'async-sema', 'p-limit'],
    table: 'Size:',
    why: 'No signal takes a caller out of its queue, no error says who waited for what behind how many, and diagnostics are told nothing. Ours has one line of waiters for all that, which is counted in every row and bundled once.',
  },
  {
    peers: ['a package for each task'],
    table: 'Size:',
    why: 'None of them adapts a limit, and the pool is for one host.',
  },
  {
    peers: ['p-map', 'p-settle'],
    table: 'Size:',
    why: 'It tells no progress, is not stopped by what has come so far, and takes no limit that others share.',
  },
  {
    peers: ['p-retry'],
    table: 'Size:',
    why: 'It has no timeout per attempt, and no budget that the retries of all callers share.',
  },
  {
    peers: pools,
    table: 'Memory: a pool without connections',
    why: 'It is for one host: a service with a hundred hosts has a hundred of them. Ours is one for all hosts.',
  },
  {
    peers: poolsPerHost,
    table: 'B',
    why: 'A pool per host has no bound over all hosts, and so nothing to wait for: in B2 it opens twice as many connections as allowed. See the peak.',
  },
  {
    peers: poolsPerHost,
    table: 'ConnectionPool: load ramp',
    why: 'A pool per host has no bound over all hosts, and so nothing to hold a request back for.',
  },
];

export const closing = `## That it stays so

\`bench/budgets.json\` holds what our rows cost in multiples of their floors (of what grows, how much more it grows than
its floor), measured in several processes. \`npm run bench -- --check\` measures them again and fails, naming the rows, when one
is above its budget by more than the noise: the quartile distance of the budget and the one just measured. What looks slower is
measured twice before it is called so. On a busy machine the quartiles are wide and the check sees less; it does not fail.
\`npm run bench -- --check --update\` agrees to what is measured now. It is not part of \`npm test\`.

The costs of real backends, and of the adaptive limits in virtual time, are in [adaptive semaphore](adaptive-semaphore.md),
[PostgreSQL](postgres.md) and [Redis](redis.md), with their commands.`;
