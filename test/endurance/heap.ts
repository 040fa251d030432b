/** How much of the heap is in use after a garbage collection, and whether it grows. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { turns } from './callers.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export interface HeapSample {
  readonly operations: number;
  readonly bytes: number;
}

/** In bytes, the least of a few passes: objects with a finalizer go with the second pass, and the collector's own memory varies. */
export async function heapInUse(): Promise<number> {
  let least = Infinity;
  for (let pass = 0; pass < 3; pass++) {
    collectGarbage();
    least = Math.min(least, process.memoryUsage().heapUsed);
    await turns(1);
  }
  return least;
}

/** Bytes per operation: the median of the slopes between all pairs of samples, which a single step does not move. */
export function growth(samples: readonly HeapSample[]): number {
  const slopes = samples.flatMap((from, index) =>
    samples.slice(index + 1).map((to) => (to.bytes - from.bytes) / (to.operations - from.operations)),
  );
  slopes.sort((a, b) => a - b);
  return slopes[slopes.length >> 1] ?? Number.NaN;
}
