/** Loads on a semaphore of ten with tasks of 10 ms: 1,000 calls a second are possible. */
import { Semaphore, type SemaphoreOptions, type WaitOptions } from 'latchkey';
import type { Timeline } from '../limit/simulation/timeline.js';
import { inVirtualTime } from './virtual-time.js';

export const taskMs = 10;
export const limit = 10;
export const possiblePerSecond = (limit * 1_000) / taskMs;

/** A call that waits for its turn. */
export interface Call {
  readonly partition: unknown;
  readonly atMs: number;
  readonly deadlineMs: number;
  /** Starts its work. */
  readonly task: () => Promise<void>;
}

/** Serves calls, ten at a time; rejects those that it refuses. */
export type Server = (call: Call) => Promise<unknown>;

/** How the callers of a scenario wait. */
export interface Setting {
  readonly name: string;
  readonly make: (timeline: Timeline) => Server;
}

export function semaphoreWith(options?: SemaphoreOptions, wait?: WaitOptions): Server {
  const semaphore = new Semaphore(limit, options);
  return ({ task, partition }) => semaphore.run(task, { ...wait, partition });
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
  { make }: Setting,
  streams: readonly Stream[],
  { seconds = 20, fromSecond = 5, seed = 1, varies = false } = {},
): Promise<Outcome[]> {
  return inVirtualTime(seconds, seed, (timeline) => {
    const serve = make(timeline);
    const task = () => {
      const tookMs = varies ? timeline.random.exponential(taskMs) : taskMs;
      return new Promise<void>((resolve) => setTimeout(resolve, tookMs));
    };
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
        // The last second is not counted, because some of its answers would come after the end.
        const isCounted = atMs >= fromSecond * 1_000 && atMs < (seconds - 1) * 1_000;
        if (isCounted) outcome.offered++;
        try {
          const { partition, deadlineMs } = stream;
          await serve({ partition, deadlineMs, atMs, task });
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
