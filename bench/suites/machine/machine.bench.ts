/** On demand: MachineMutex beside RedisMutex, a lock file and Web Locks; then 10,000 grants with random kills. */
import { fileURLToPath } from 'node:url';
import { Guests, type ProcessGuest } from '../../../test/machine/support/guests.js';
import { stress } from '../../../test/machine/support/stress.js';
import { startRedis } from '../../../test/support/engines/redis.js';
import { duration } from '../../harness/format.js';
import { aligned } from '../../harness/report.js';
import { quantile } from '../../harness/statistics.js';
import type { Suite } from '../../harness/subjects.js';
import { locks } from '../../rivals/web-locks.js';
import type { Kind } from './contender.process.js';

const contender = fileURLToPath(new URL('contender.process.js', import.meta.url));
const guest = fileURLToPath(new URL('../../../test/machine/support/guest.process.js', import.meta.url));
const grants = 500;
/** A lock with a time to live needs 10 s after each kill, and a lock file is asked for again after up to 100 ms. */
const trials: Record<Kind, { grants: number; handOvers: number; kills: number }> = {
  MachineMutex: { grants, handOvers: 40, kills: 20 },
  RedisMutex: { grants, handOvers: 40, kills: 2 },
  'proper-lockfile': { grants: 100, handOvers: 20, kills: 2 },
  // Among processes they do not exclude.
  'Web Locks': { grants, handOvers: 40, kills: 0 },
};

export const machine: Suite = {
  name: 'machine',
  onDemand: true,
  printsItself: true,
  async run() {
    await using redis = await startRedis();
    const header = [
      'lock',
      'alone p50',
      'p99',
      'passed on p50',
      'p99',
      '4 keys p50',
      'p99',
      '1 key p50',
      'p99',
      'hand-over',
      'p99',
      'after SIGKILL',
      'worst',
    ];
    const rows: string[][] = [];
    const kinds: Kind[] = ['MachineMutex', 'RedisMutex', 'proper-lockfile'];
    if (locks !== undefined) kinds.push('Web Locks');
    for (const kind of kinds) {
      rows.push(await rowOf(kind, redis.connectionOptions.port));
    }
    console.log(
      '\nLocks of one machine: lock + unlock in one process, from a release to a waiter of the same process;',
    );
    console.log(
      'lock + unlock in four processes with a key each, and with one key; from a release to the grant in',
    );
    console.log('another process; from a SIGKILL to the next grant');
    console.log(aligned([header, ...rows], false));

    await using guests = await Guests.ready(guest);
    const report = await stress(guests, 10_000, 8, 200);
    console.log('\n10,000 grants of one key over eight processes, with random kills');
    console.log(aligned([Object.keys(report), Object.values(report).map(String)], false));
  },
};

async function rowOf(kind: Kind, port: number): Promise<string[]> {
  await using guests = await Guests.ready(contender);
  const sizes = trials[kind];
  const start = () => guests.process({ args: [kind, String(port), guests.folder] });
  const first = start();
  const time = async (crew: ProcessGuest[], keyOf: (n: number) => string) =>
    (
      await Promise.all(
        crew.map((one, n) => one.do<number[]>('time grants', { key: keyOf(n), grants: sizes.grants })),
      )
    ).flatMap((times) => times.slice(sizes.grants / 10));
  const alone = await time([first], () => 'alone');
  const own = await first.do<number[]>('time hand-overs', { key: 'own', grants: sizes.handOvers });
  if (sizes.kills === 0) return [kind, ...[alone, own].flatMap(spread), ...Array<string>(8).fill('–')];
  const four = [first, start(), start(), start()];
  const apart = await time(four, (n) => `own ${n}`);
  const together = await time(four, () => 'one');
  const passes = await handOverMs(four[0]!, four[1]!, sizes.handOvers);
  const afterKill: number[] = [];
  for (let i = 0; i < sizes.kills; i++) afterKill.push(await afterKillMs(start(), four[0]!, `killed ${i}`));
  return [
    kind,
    ...[alone, own, apart, together, passes].flatMap(spread),
    duration(quantile(afterKill, 0.5)),
    duration(Math.max(...afterKill)),
  ];
}

const spread = (times: readonly number[]) => [0.5, 0.99].map((share) => duration(quantile(times, share)));

const msBetween = (from: { atNs: string }, to: { atNs: string }) =>
  Number(BigInt(to.atNs) - BigInt(from.atNs)) / 1e6;

async function handOverMs(one: ProcessGuest, other: ProcessGuest, count: number): Promise<number[]> {
  const times: number[] = [];
  let [holder, waiter] = [one, other];
  await holder.acquire({ key: 'passed on' });
  for (let i = 0; i < count; i++) {
    const granted = waiter.do<{ atNs: string }>('acquire', { key: 'passed on' });
    await new Promise((resolve) => setTimeout(resolve, 20 + 20 * Math.random()));
    const released = await holder.release({ key: 'passed on' });
    times.push(msBetween(released, await granted));
    [holder, waiter] = [waiter, holder];
  }
  await holder.release({ key: 'passed on' });
  return times;
}

async function afterKillMs(holder: ProcessGuest, waiter: ProcessGuest, key: string): Promise<number> {
  await holder.acquire({ key });
  const granted = waiter.do<{ atNs: string }>('acquire', { key });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const killed = { atNs: String(process.hrtime.bigint()) };
  await holder.kill('SIGKILL');
  const ms = msBetween(killed, await granted);
  await waiter.release({ key });
  return ms;
}
