/** The figures of one row: what a lock across processes costs, and when its holder learns of a loss. */
import { aligned, duration } from '../../harness/report.js';
import { median } from '../../harness/statistics.js';

/** One kind of lock, in two objects without a connection to each other. */
export interface LockRow {
  readonly name: string;
  /** Resolves with a function that releases the lock. `side`: which of the two objects. */
  acquire(side: 0 | 1): Promise<() => Promise<unknown>>;
  /** Holds the lock while `until` is pending. Resolves with the time at which the holder learned of a loss, if it did. */
  toldOfLoss?(until: Promise<unknown>): Promise<number | undefined>;
}

const costs = 300;
const handOvers = 60;

export async function lockAndUnlockMs({ acquire }: LockRow): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < costs; i++) {
    const startedMs = performance.now();
    const release = await acquire(0);
    await release();
    times.push(performance.now() - startedMs);
  }
  return median(times.slice(costs / 3));
}

/** From the call of one's release to the other's grant. */
export async function handOverMs({ acquire }: LockRow): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < handOvers; i++) {
    const release = await acquire(0);
    let grantedMs = 0;
    const other = acquire(1).then((releaseOther) => {
      grantedMs = performance.now();
      return releaseOther();
    });
    await new Promise((resolve) => setTimeout(resolve, 20 + 20 * Math.random()));
    const startedMs = performance.now();
    await Promise.all([release(), other]);
    times.push(grantedMs - startedMs);
  }
  return median(times);
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
