/** What the scenarios are made of. */
import { ServerFarm, SharedProcessor } from '../simulation/backend.js';
import type { Load, OpenLoad } from '../simulation/client.js';
import type { Timeline } from '../simulation/timeline.js';

export const closed = (workers: number): Load => ({ kind: 'closed', workers });

export const open = (perSecond: number | ((second: number) => number), maxWaitMs: number): OpenLoad => ({
  kind: 'open',
  perSecond: typeof perSecond === 'number' ? () => perSecond : perSecond,
  maxWaitMs,
});

/** M/M/c: exponential service. */
export function farm(timeline: Timeline, servers: number, meanMs = 10): ServerFarm {
  return new ServerFarm(timeline, { servers, serviceMs: exponential(timeline, meanMs) });
}

export function sharedProcessor(timeline: Timeline, contention: number, coherency: number): SharedProcessor {
  return new SharedProcessor(timeline, { workMs: exponential(timeline, 10), contention, coherency });
}

export function exponential(timeline: Timeline, meanMs: number): () => number {
  return () => timeline.random.exponential(meanMs);
}

/** A share of the calls takes long, the others do not; each varies by a tenth. */
export function bimodal(timeline: Timeline, shortMs: number, longMs: number, longShare: () => number) {
  return () => {
    const meanMs = timeline.random.uniform() < longShare() ? longMs : shortMs;
    return 0.9 * meanMs + 0.1 * timeline.random.exponential(1) * meanMs;
  };
}

export const between = (second: number, from: number, until: number) => second >= from && second < until;
