/**
 * How the cost of one operation changes when there are more of them at once. Linear means that an operation costs the same
 * as among few: an exponent of 1. Quadratic is an exponent of 2: ten times as many cost a hundred times as much. Memory that no
 * longer fits the caches, and other programs on the machine, make the floor grow too, so compare with the floor.
 */
import { exponentOf, median, type Spread, spreadOf } from './statistics.js';
import { elapsedMs } from './stopwatch.js';
import type { Sample, Subject } from './subjects.js';

export interface Growth {
  /** Of one operation at each size, in milliseconds, as far as the subject came. */
  readonly perOperation: readonly number[];
  /** Of all of them: the time is as the size to this power. */
  readonly exponent: Spread;
  /** By how much the cost of an operation grew from the first size to the last, in multiples of the floor's growth. */
  readonly versusFloor?: Spread;
}

export const growthSizes = [1_000, 10_000, 100_000] as const;

/** Small sizes are measured repeatedly, so that a sample is much longer than the resolution of the clock. */
const operationsPerSample = 20_000;
/**
 * A subject that takes this long at one size would take a hundred times as long at the next if it were quadratic, so it
 * stops there. Our rows and the floor always run.
 */
const tooSlowMs = { ours: 1_500, theirs: 100 };

/** `prepare` gets a size and returns a function that does that many operations. Only that function is timed. */
export function growing(
  description: Omit<Subject, 'sample'>,
  prepare: (size: number) => () => Promise<unknown>,
): Subject {
  const { role } = description;
  const limitMs = role === 'latchkey' || role === 'floor' ? tooSlowMs.ours : tooSlowMs.theirs;
  return {
    ...description,
    sample: async () => {
      const perSize: number[] = [];
      for (const size of growthSizes) {
        const times: number[] = [];
        for (let done = 0; done < operationsPerSample; done += size)
          times.push(await elapsedMs(prepare(size)));
        const ms = median(times);
        perSize.push(ms / size);
        if (ms > limitMs) break;
      }
      return { cost: perSize.at(-1)!, perSize };
    },
  };
}

type SamplesByRound = ReadonlyMap<number, Sample>;

export function growthOf(samples: SamplesByRound, floor?: SamplesByRound): Growth {
  // A subject may reach a size in one round and miss it in the next.
  const reached = Math.min(...[...samples.values()].map(({ perSize }) => perSize!.length));
  const rounds = [...samples.values()].map(({ perSize }) => perSize!.slice(0, reached));
  const versusFloor = [...samples].flatMap(([round, { perSize }]) => {
    const floorSizes = floor?.get(round)?.perSize ?? [];
    return floorSizes.length < reached ? [] : [grown(perSize!, reached) / grown(floorSizes, reached)];
  });
  return {
    perOperation: Array.from({ length: reached }, (_, i) => median(rounds.map((round) => round[i]!))),
    exponent: spreadOf(
      rounds.map((round) => exponentOf(round.map((cost, i) => [growthSizes[i]!, cost * growthSizes[i]!]))),
    ),
    ...(versusFloor.length > 0 && { versusFloor: spreadOf(versusFloor) }),
  };
}

function grown(perSize: readonly number[], reached: number): number {
  return perSize[reached - 1]! / perSize[0]!;
}
