/** The words of the page. The figures are filled in from the run. */
import { majorOf, type Run } from '../results.js';

export const suiteNames: Readonly<Record<string, string>> = {
  mutex: 'Mutex',
  'keyed-mutex': 'KeyedMutex',
  semaphore: 'Semaphore',
  'gather-settled': 'gatherSettled',
  retry: 'retry',
  'connection-pool': 'ConnectionPool',
  service: 'A service',
  diagnostics: 'Diagnostics',
  crowds: 'Crowds, without the collector',
  memory: 'Memory',
  growth: 'Growth',
  loading: 'Loading',
  size: 'Size',
};

export function opening({ node, flags, cores, commit, date }: Run): string {
  const given = flags.length === 0 ? '' : ` ${flags.join(' ')}`;
  return `# Benchmarks

<!-- Written by \`npm run bench -- --report\`: change bench/harness/page/ instead. -->

Measured on Node ${node}${given}, ${cores} cores, at commit ${commit}, on ${date.slice(0, 10)}, by

\`\`\`sh
npm ci && npm run bench -- --report    # all of this page, in some minutes; \`npm run bench -- mutex\` for one section
\`\`\`

The benchmarks fetch this Node from npm and run on it, whatever Node is installed; \`npm run bench -- --node=24\` takes another.
The versions of the other packages are in \`package.json\`. Ratios differ from one major of Node to the next, most of all in the
rows of crowds.`;
}

export function onOlderNode({ node, commit, date }: Run): string {
  return `Measured on Node ${node}, at commit ${commit}, on ${date.slice(0, 10)}, by \`npm run bench -- --node=${majorOf(node)}\`. Beside the floor:
our row in multiples of it. The fastest other package is given with its time in multiples of ours: below 1x, it is ahead.`;
}

export const howToRead = `## How to read it

- **The floor** is the same work without what is measured: a bare \`await task()\`, or a promise per caller, resolved in
  turn. No lock can be cheaper. A naive version below the floor does less: the promise chain has no limit, no queue to
  leave and no timeout.
- **vs floor** is the figure to compare. It is the median of the ratios inside each round, so that a slow moment of the
  machine slows both sides. Half of the rounds lie between the **quartiles**. Times are for scale: they change with the
  machine, ratios hardly do. **±** is half the quartile distance of the times.
- **Callers** are alike for every subject of a row: an async function that awaits what it calls. A package without \`run\` is
  called twice by it, before and after the task.
- **Rounds** run all subjects of a table in a newly shuffled order, each with a loop compiled for it alone; the first are
  thrown away. Each table is measured in a separate process.
- **Crowds** leave much garbage. A sample that meets the garbage collector may take twice as long as one that does not, so
  their quartiles are wide. Crowds of 10,000 are measured twice: with the collector, as in a service, and in a section of
  their own with a young generation of 128 MB (\`--min-semi-space-size=128 --max-semi-space-size=128\`), which no sample fills.
- **In the pictures** a dot is a median, and its whiskers are the quartiles. The axis is logarithmic; bars of bytes start at
  zero.
- A row of ours with a name other than \`latchkey\` is a variation, and its name says which.
- A difference below 5 %, or inside the quartiles, is noise.`;

/** What the rows of each table mean for a service. */
export const meanings: Readonly<Record<string, string>> = {
  'Mutex: run(task), uncontended':
    'A service pays this on every call that a lock protects, even without contention. The difference to the floor, times the calls per second, is its share of a core: 100 ns at 10,000 calls a second are a thousandth.',
  'Mutex: acquire() and release(), uncontended':
    'For code that does not fit into one function. `tryAcquire() ?? await acquire()` costs almost nothing while the lock is free.',
  'Mutex: 1,000 callers at once for one lock':
    'A burst of callers for one lock. The figure times the number of callers is the time for which the process does nothing else.',
  'Mutex: 100,000 callers at once for one lock':
    'The backend hangs and every request queues. A lock that is quadratic here blocks the process. Most of the time goes to the garbage collector, in every row.',
  'KeyedMutex: run(key, task), uncontended, 1,024 keys in turn':
    'The cost per operation of a lock per user, order or file.',
  'KeyedMutex: 100,000 distinct keys at once': 'A lock that keeps its keys leaks memory with every new user.',
  'KeyedMutex: 1,000 keys x 100 callers at once':
    'Many requests for few objects, as after a deploy. On the floor each waiter has a promise of its own, and each key resolves its promises in turn.',
  'KeyedMutex: the entry alone, 1,024 keys in turn':
    'No keyed lock can be cheaper. V8 rebuilds a `Map` that keeps emptying and filling. Ours keeps a quarter of its entries in use, which avoids that.',
  'Semaphore: limit 10 over 10,000 tasks that wait a setImmediate each':
    'A limit in front of a backend. Real calls last milliseconds, so the difference between the rows does not matter there.',
  'Semaphore: 10,000 waiters aborted through one signal':
    'A shutdown, or a parent request that is cancelled. At 30 us a waiter, ten thousand of them block the process for 0.3 s.',
  'Semaphore: 100,000 waiters aborted through one signal':
    'The same, ten times as large. Packages that keep a listener per waiter are not shown, because they take minutes.',
  'Semaphore: 10,000 waiters aborted in random order, a signal each':
    'Clients that hang up while they wait. Most of the time goes to Node’s event per signal.',
  'Semaphore: 100,000 waiters aborted in random order, a signal each': 'The same, ten times as large.',
  'Semaphore: 10,000 waiters with a timeout that never fires':
    'A timeout on every wait is good practice only if it is cheap when nothing goes wrong.',
  'Semaphore: 100,000 waiters with a timeout that never fires': 'The same, ten times as large.',
  'gatherSettled: 10,000 items, 100 at a time, a tiny task':
    'A batch over items that are already in memory. This measures only the cost of the limit.',
  'gatherSettled: 10,000 items, 100 at a time, a task that waits a setImmediate':
    'A batch with some work per item. Fewer items at once need less memory, and are faster than all at once when the collector runs. Without the collector, a hundred turns of the event loop cost more than one.',
  'retry: a task that succeeds at once': 'Every successful call pays this, and almost all calls succeed.',
  'B6 ConnectionPool: acquire() and release() of an idle connection, in memory':
    'The time that a pool adds to a query that finds an idle connection. A query over a socket takes 100 us and more.',
  'B6 ConnectionPool: the clock alone, in memory':
    'Two floors of the row above are readings of the clock. Looking the clock up once would save some, but fake timers and simulators, which replace the globals, would no longer work.',
  'B7 ConnectionPool: 1,000 requests at once for 10 connections, in memory':
    'The time that the queue adds per request when all connections are busy.',
  'Memory: a caller waiting in acquire()':
    'A million callers in a queue take this many megabytes. Limit the queue instead (`maxWaiting`).',
  'Memory: a key that was used once':
    'Anything above zero is a leak: it grows with every user, file or order that was ever locked.',
  'Loading: import() in a fresh process':
    'Command-line tools and serverless functions pay this at each start. Half of it is the pool and the adaptive limits.',
  'Size: all of it':
    'Code that the locks share is bundled once. The adaptive limits are bundled only if you import them.',
  'Memory: a pool without connections':
    'Ours has one object for all hosts. The others need one per host, without a common bound.',
};

export interface Reason {
  readonly peers: readonly string[];
  /** How the table's title begins. */
  readonly table: string;
  readonly why: string;
}

const pools = ['generic-pool', 'tarn', 'lightning-pool', 'sequelize-pool'];
const poolsPerHost = pools.map((name) => `${name} per host`);

/** Why another package is ahead in a table; the page shows the first reason that fits. */
export const reasons: readonly Reason[] = [
  {
    peers: ['async-sema'],
    table: 'Mutex: acquire()',
    why: 'It has no permits: a second release admits one holder too many, and a caller cannot give up. Our permit is an object that releases once. With such an object it is slower than ours: see its second row.',
  },
  {
    peers: ['async-sema'],
    table: 'Mutex: 1,000 callers',
    why: 'Its caller takes and gives back by itself, in its own async function. Our queued `run` also has a promise of the task’s result, which takes two more turns of the microtask queue. Wrapped in a function like `run` it is no faster than ours: see its second row. By `acquire()` and `release()`, ours is ahead: see the next table.',
  },
  {
    peers: ['Map of async-sema, users counted', 'Map of async-sema, wrapped as run'],
    table: 'KeyedMutex: 1,000 keys',
    why: 'Most of the time is the garbage collector’s, which copies 100,000 waiters twice. V8 seems to put the package’s plain entries among the old objects at once, and not ours, which are instances. With so much young memory that little is copied, and with 1,000 callers for 100 keys, it is ahead only where its caller takes and gives back by itself. It has no handle, so a second release admits two holders, and a caller cannot give up.',
  },
  {
    peers: ['Map of async-sema, users counted'],
    table: 'KeyedMutex:',
    why: 'It has no handle, so a second release admits two holders, and a caller cannot give up. Each of our grants makes a lease.',
  },
  {
    peers: ['async-sema', 'cockatiel', 'p-limit'],
    table: 'Semaphore: limit 10',
    why: 'None of them can remove a waiter from its queue. Our queued `run` has an entry that can leave, a promise for the wait, and a reaction that starts the task in its own turn, in its caller’s async context. Of async-sema the caller takes and gives back by itself; wrapped in a function like `run` it is slower than ours: see its second row.',
  },
  {
    peers: ['async-lock'],
    table: 'KeyedMutex: 1,000 keys',
    why: 'It starts the next task inside the previous task’s release and async context. Ours starts in its own turn, in its caller’s context.',
  },
  {
    peers: ['p-queue'],
    table: 'Semaphore: 10,000 waiters aborted in random order',
    why: 'It searches its queue. For a short queue that is cheap compared with Node’s event per signal: see Growth.',
  },
  {
    peers: ['cockatiel'],
    table: 'retry: a herd',
    why: 'Its default is decorrelated jitter, ours is full jitter. Decorrelated jitter spreads this herd better, because all of it failed at once. We have `decorrelated()`, too.',
  },
  {
    peers: ['cockatiel', 'p-retry'],
    table: 'retry: an outage',
    why: 'The time is the longest random pause. Compare the number of calls instead.',
  },
  {
    peers: ['async-lock', 'async-sema', 'cockatiel', 'p-limit', 'p-queue'],
    table: 'Memory: a caller waiting in run',
    why: 'A waiter cannot leave its queue in one step.',
  },
  {
    peers: ['async-lock', 'async-mutex'],
    table: 'Memory: a lock that nobody uses',
    why: 'It makes its queue when the first caller waits.',
  },
  {
    peers: ['async-mutex', 'async-sema', 'cockatiel', 'p-queue'],
    table: 'Memory: a limit that nobody uses',
    why: 'Ours makes its queue at once. A service has a hundred semaphores, one per host, not a million.',
  },
  {
    peers: ['generic-pool', 'lightning-pool'],
    table: 'B6 ConnectionPool: acquire() and release() with an asynchronous validate',
    why: 'It sets no time limit for a check: one that hangs keeps its connection for ever. Ours bounds and can end every check, and gives the checked connection to the oldest waiter.',
  },
  {
    peers: ['tarn'],
    table: 'B6 ConnectionPool: acquire() and release() with an asynchronous validate',
    why: 'Equal on Node 26. A check belongs to the request that asked for it; ours to the connection, which goes to the oldest waiter.',
  },
  {
    peers: ['sequelize-pool', 'sequelize-pool, wrapped as use'],
    table: 'B7 ConnectionPool: 1,000',
    why: 'Its caller takes and gives back by itself; wrapped in a function like `use` it is about as fast as ours: see its second row. It has one host and one queue, a waiter takes no signal, and there is no lease: a second release admits a second holder.',
  },
  {
    peers: ['lightning-pool', 'sequelize-pool'],
    table: 'B7 ConnectionPool:',
    why: 'It has one host and one queue, and a waiter takes no signal. Ours has a queue per host, and a bound and turns over all hosts.',
  },
  {
    peers: pools,
    table: 'B4 ConnectionPool:',
    why: 'A difference of a millisecond or less is that of the server’s timers.',
  },
  {
    peers: ['p-limit', 'p-limit, async-mutex, generic-pool'],
    table: 'Service:',
    why: 'Its row has fewer primitives than our first row, which has five. Compare it with our row of the same number.',
  },
  {
    peers: pools,
    table: 'Size:',
    why: 'It is for one host: there is no bound over several, and no fairness between them.',
  },
  {
    peers: ['async-mutex', 'async-lock', 'async-sema', 'p-limit', 'cockatiel'],
    table: 'Size: a l',
    why: 'A signal cannot remove a caller from its queue, no error says who waited for what behind how many, and there are no diagnostics. Ours has one wait queue for all that, which is counted in every row and bundled once.',
  },
  {
    peers: ['a package for each task'],
    table: 'Size:',
    why: 'None of them adapts a limit, and the pool is for one host.',
  },
  {
    peers: ['p-map', 'p-settle'],
    table: 'Size:',
    why: 'It reports no progress, cannot stop on a result, and takes no shared limiter.',
  },
  {
    peers: ['p-queue'],
    table: 'Size:',
    why: 'Its errors do not say who waited behind how many, and there are no diagnostics.',
  },
  {
    peers: ['cockatiel'],
    table: 'Size: retries',
    why: 'It has no budget that the retries of all callers share.',
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
    why: 'A pool per host has no bound over all hosts, so callers never wait. In B2 it opens twice as many connections as allowed: see the peak.',
  },
  {
    peers: poolsPerHost,
    table: 'ConnectionPool: load ramp',
    why: 'A pool per host has no bound over all hosts, so it never holds a request back.',
  },
];

export const closing = `## Budgets

\`bench/budgets.json\` holds the cost of our rows in multiples of their floors, measured in several processes. For growth
tables it holds how much faster a row grows than its floor. \`npm run bench -- --check\` measures the rows again. It fails and
names each row that is above its budget by more than the noise: the quartile distances of the budget and of the new measurement.
A row that looks slower is measured twice. On a busy machine the quartiles are wide, so the check finds less; it does not fail.
\`npm run bench -- --check --update\` accepts what is measured now. The file names its Node; a check on another major says that
the floors are others. The check is not part of \`npm test\`.

The costs of real backends, and of the adaptive limits in virtual time, are in [adaptive semaphore](adaptive-semaphore.md),
[PostgreSQL](postgres.md) and [Redis](redis.md), with their commands.`;
