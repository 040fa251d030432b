/** Bytes, counted in a process of its own per sample, which starts with `--expose-gc` and collects before it counts. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Case, Role, Suite, Target } from '../../harness/subjects.js';
import { bytesAtMost } from '../../harness/targets.js';
import { type Kind, kept } from './kept.js';

const file = fileURLToPath(new URL('kept.process.js', import.meta.url));

interface Described {
  readonly title: string;
  readonly shows: string;
  /** By a row's name. */
  readonly targets: Readonly<Record<string, readonly Target[]>>;
}

const tables: Readonly<Record<Kind, Described>> = {
  waitersInAcquire: {
    title: 'Memory: a caller waiting in acquire()',
    shows: 'The memory per caller in a queue of 100,000 callers, with its suspended async function.',
    targets: { latchkey: [bytesAtMost(640)] },
  },
  waitersInRun: {
    title: 'Memory: a caller waiting in run(task)',
    shows: 'The same with a task that starts in its caller’s async context.',
    targets: { latchkey: [bytesAtMost(760)] },
  },
  waitersForConnections: {
    title: 'Memory: a request that waits for a connection, with a timeout of 10 minutes',
    shows: 'The memory per request in the queue of a full pool.',
    targets: { latchkey: [] },
  },
  heldKeys: {
    title: 'Memory: a key that is held',
    shows: 'The memory per locked key, with the handle of its holder.',
    targets: { latchkey: [bytesAtMost(360)] },
  },
  idleKeys: {
    title: 'Memory: a key that was used once',
    shows: 'The memory that a key still takes after its release. In a service that never ends, it adds up.',
    // Less than one pointer per key: the counting itself leaves that much.
    targets: { latchkey: [bytesAtMost(7)] },
  },
  idleLocks: {
    title: 'Memory: a lock that nobody uses',
    shows: 'The memory of a lock per user, tenant or row before the first call.',
    targets: { latchkey: [bytesAtMost(200)] },
  },
  idleLimits: {
    title: 'Memory: a limit that nobody uses',
    shows: 'The memory of a semaphore per host or customer before the first call.',
    targets: { latchkey: [] },
  },
  idlePools: {
    title: 'Memory: a pool without connections',
    shows:
      'The memory of a pool before the first connection. The packages without keys need one pool per host.',
    targets: { latchkey: [] },
  },
};

function caseOf(kind: Kind): Case {
  const { title, shows, targets } = tables[kind];
  return {
    title,
    shows,
    unit: 'bytes',
    time: 'bytes',
    rounds: 2,
    warmups: 0,
    budgetMs: Infinity,
    subjects: Object.keys(kept[kind]).map((name, i) => ({
      name,
      role: roleOf(name, i),
      targets: targets[name] ?? [],
      sample: async () => ({ cost: await bytesPerObject(kind, name) }),
    })),
  };
}

/** The first row of each kind is the floor: the least that any implementation needs. */
function roleOf(name: string, index: number): Role {
  if (index === 0) return 'floor';
  return name.startsWith('latchkey') ? 'latchkey' : 'peer';
}

async function bytesPerObject(kind: Kind, name: string): Promise<number> {
  const child = fork(file, [kind, name], { execArgv: ['--expose-gc'] });
  const [bytes] = await once(child, 'message');
  return bytes;
}

export const memory: Suite = {
  name: 'memory',
  onDemand: true,
  reported: true,
  async run(measure) {
    for (const kind of Object.keys(tables) as Kind[]) await measure(caseOf(kind));
  },
};
