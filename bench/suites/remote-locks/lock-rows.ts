/** The figures of one row: what a lock across processes costs, and when its holder learns of a loss. */
import { duration } from '../../harness/format.js';
import { aligned } from '../../harness/report.js';
import { median } from '../../harness/statistics.js';

/** One kind of lock, in two objects without a connection to each other. */
export interface LockRow {
  readonly name: string;
  /** Resolves with a function that releases the lock. `side`: which of the two objects. */
  acquire(side: 0 | 1): Promise<() => Promise<unknown>>;
  /** Holds the lock while `until` is pending. Resolves with the time at which the holder learned of a loss, if it did. */
  toldOfLoss?(until: Promise<unknown>): Promise<number | undefined>;
  /** It has no way to learn of a loss. */
  readonly neverTold?: boolean;
}

const rounds = 20;
const costsPerRound = 15;
const handOversPerRound = 3;

async function lockAndUnlockMs({ acquire }: LockRow): Promise<number> {
  const startedMs = performance.now();
  const release = await acquire(0);
  await release();
  return performance.now() - startedMs;
}

/** From the call of one's release to the other's grant. */
async function handOverMs({ acquire }: LockRow): Promise<number> {
  const release = await acquire(0);
  let grantedMs = 0;
  const other = acquire(1).then((releaseOther) => {
    grantedMs = performance.now();
    return releaseOther();
  });
  await new Promise((resolve) => setTimeout(resolve, 20 + 20 * Math.random()));
  const startedMs = performance.now();
  await Promise.all([release(), other]);
  return grantedMs - startedMs;
}

/** Measures the rows in turns, so that what disturbs the machine disturbs all of them. The first round warms up. */
export async function figuresOf(rows: readonly LockRow[]): Promise<LockFigures[]> {
  const times = rows.map(() => ({ costs: [] as number[], handOvers: [] as number[] }));
  for (let round = 0; round <= rounds; round++) {
    for (const [i, row] of rows.entries()) {
      const { costs, handOvers } = times[i]!;
      for (let n = 0; n < costsPerRound; n++) costs.push(await lockAndUnlockMs(row));
      for (let n = 0; n < handOversPerRound; n++) handOvers.push(await handOverMs(row));
    }
    if (round === 0) for (const { costs, handOvers } of times) costs.length = handOvers.length = 0;
  }
  return rows.map(({ name }, i) => ({
    name,
    cost: median(times[i]!.costs),
    handOver: median(times[i]!.handOvers),
  }));
}

export interface LockFigures {
  readonly name: string;
  readonly cost: number;
  readonly handOver: number;
  readonly told?: string;
}

export function printLocks(title: string, told: string | undefined, rows: readonly LockFigures[]): void {
  const header = ['lock', 'lock + unlock', 'hand-over p50', ...(told === undefined ? [] : [told])];
  const cells = rows.map(({ name, cost, handOver, told: when }) => [
    name,
    duration(cost),
    duration(handOver),
    ...(told === undefined ? [] : [when ?? '']),
  ]);
  console.log(`\n${title}`);
  console.log(aligned([header, ...cells], false));
}
