/** Loads on a semaphore of ten with tasks of 10 ms: 1,000 calls a second are possible. */
import { Semaphore, type SemaphoreOptions, type WaitOptions } from 'latchkey';
import { inVirtualTime } from './virtual-time.js';

const taskMs = 10;
const limit = 10;
export const possiblePerSecond = (limit * 1_000) / taskMs;

/** How the callers of a scenario wait. */
export interface Setting {
  readonly name: string;
  readonly options?: () => SemaphoreOptions;
  readonly wait?: WaitOptions;
}

/** Calls of one kind: arrivals by chance, or a number of callers that call again at once. */
export interface Stream {
  readonly partition?: unknown;
  readonly perSecond?: (second: number) => number;
  readonly callers?: number;
  /** A later answer is of no use, and its caller is gone. */
  readonly deadlineMs: number;
}

/** What came of the calls of a stream. */
export interface Outcome {
  offered: number;
  useful: number;
  /** Tasks that ran although their caller had left. */
  wasted: number;
  refused: number;
  /** Of useful answers, from the call to the answer. */
  readonly latenciesMs: number[];
  /** Refusals in each second. */
  readonly refusals: number[];
}

/** Runs all streams on one semaphore; seconds before `fromSecond` are not counted. */
export function play(
  { options, wait }: Setting,
  streams: readonly Stream[],
  { seconds = 20, fromSecond = 5, seed = 1 } = {},
): Promise<Outcome[]> {
  return inVirtualTime(seconds, seed, (timeline) => {
    const semaphore = new Semaphore(limit, options?.());
    const task = () => new Promise<void>((resolve) => setTimeout(resolve, taskMs));
    const outcomes = streams.map((stream) => {
      const outcome: Outcome = {
        offered: 0,
        useful: 0,
        wasted: 0,
        refused: 0,
        latenciesMs: [],
        refusals: new Array<number>(seconds).fill(0),
      };
      const call = async () => {
        const atMs = timeline.nowMs;
        const isCounted = atMs >= fromSecond * 1_000;
        if (isCounted) outcome.offered++;
        try {
          await semaphore.run(task, { ...wait, partition: stream.partition });
          const latencyMs = timeline.nowMs - atMs;
          if (!isCounted) return;
          if (latencyMs > stream.deadlineMs) outcome.wasted++;
          else {
            outcome.useful++;
            outcome.latenciesMs.push(latencyMs);
          }
        } catch {
          if (isCounted) outcome.refused++;
          if (isCounted) outcome.refusals[Math.floor(timeline.nowMs / 1_000)]!++;
          // A caller of a closed loop that is refused comes back a little later.
          await new Promise<void>((resolve) => setTimeout(resolve, taskMs));
        }
      };
      const arrive = () => {
        const perSecond = stream.perSecond?.(timeline.nowMs / 1_000) ?? 0;
        timeline.after(timeline.random.exponential(1_000 / perSecond), () => {
          void call();
          arrive();
        });
      };
      if (stream.perSecond !== undefined) arrive();
      const loop = async (): Promise<void> => {
        while (timeline.nowMs < seconds * 1_000) await call();
      };
      for (let i = 0; i < (stream.callers ?? 0); i++) timeline.at(0, () => void loop());
      return outcome;
    });
    return () => outcomes;
  });
}
