/** B9, B10: keys compete for the slots, in memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { crowdOf, type Use } from '../../harness/callers.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { Case, Role, Sample, Subject } from '../../harness/subjects.js';
import { atMost, countAtMost, within } from '../../harness/targets.js';
import { latchkeyPool } from '../../rivals/latchkey.js';
import { globalLock } from '../../rivals/naive-pools.js';
import type { KeyedPool, MakePool } from '../../rivals/rival.js';
import { connectPerRequest } from '../../rivals/unpooled.js';
import { CountingDialler, inMemory, noWork } from './pool-subjects.js';

const hot = 1;
const cold = 2;

export const coldBesideHot: Case = {
  title: 'B9 ConnectionPool: one caller of a cold host beside 50 users of a hot one who never pause, max 4',
  shows:
    'A busy connection gives up its slot when its time slice ends, so the cold host waits about 100 ms instead of for ever.',
  time: 'cold caller served',
  rounds: 3,
  warmups: 0,
  subjects: [beside('global lock', 'naive', globalLock), beside('latchkey', 'latchkey', latchkeyPool)],
};

function beside(name: string, role: Role, makePool: MakePool): Subject {
  const targets = role === 'latchkey' ? [within(300), countAtMost(4, 'peak')] : [];
  return { name, role, targets, sample: () => sampleBeside(makePool) };
}

async function sampleBeside(makePool: MakePool): Promise<Sample> {
  const dialler = new CountingDialler(5);
  const pool = makePool(dialler, { max: 4, waitTimeoutMs: 2_000 });
  let served = 0;
  let going = true;
  const user = async () => {
    for (; going; served++) await pool.use(hot, () => sleep(2));
  };
  const users = Array.from({ length: 50 }, user);
  await sleep(200);
  const ms = await elapsedMs(() => pool.use(cold, noWork));
  await sleep(Math.max(0, 400 - ms));
  going = false;
  await Promise.all(users);
  await pool.close();
  return { cost: ms, counts: { connects: dialler.connects, peak: dialler.peak, 'hot requests': served } };
}

export function manyKeys(keys: number): Case {
  return {
    title: `B10 ConnectionPool: ${keys.toLocaleString('en-US')} distinct hosts through 50 slots, connect 1 ms`,
    shows:
      'Each request evicts a connection and dials another; the cost per request must not grow with the number of hosts.',
    rounds: 3,
    subjects: [
      through('50 lanes that connect and close', 'floor', connectPerRequest, keys),
      ...(keys > 2_000 ? [] : [through('global lock', 'naive', globalLock, keys)]),
      {
        ...through('latchkey', 'latchkey', latchkeyPool, keys),
        targets: [atMost(2.5, 'floor'), countAtMost(50, 'peak')],
      },
    ],
  };
}

function through(name: string, role: Role, makePool: MakePool, keys: number): Subject {
  return inMemory({ name, role }, { connectMs: 1, makePool, terms: { max: 50 } }, (pool) =>
    oneEach(pool, keys),
  );
}

async function oneEach(pool: KeyedPool<object>, keys: number): Promise<void> {
  const use: Use<[number]> = (key, task) => pool.use(key, task);
  await crowdOf(use, keys)(use, keys, noWork);
}
