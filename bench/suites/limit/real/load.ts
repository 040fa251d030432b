/** Calls in real time, and the outcome of each. */
import { type AdaptiveSemaphore, WaitTimeoutError } from 'latchkey';
import { quantile } from '../../../harness/statistics.js';

export interface Call {
  readonly endedMs: number;
  /** In the backend, from the grant. */
  readonly durationMs: number;
  readonly outcome: 'success' | 'refused' | 'shed';
}

export interface Notes {
  readonly calls: Call[];
  readonly limits: { readonly atMs: number; readonly limit: number }[];
}

export interface Load {
  readonly semaphore: AdaptiveSemaphore;
  readonly call: () => Promise<{ readonly statusCode?: number | undefined }>;
  /** A caller that has waited this long for the limit leaves. */
  readonly waitTimeoutMs: number;
}

const noteEveryMs = 25;

/** Random arrivals at a fixed rate, whether earlier calls have ended or not: the load of a service. */
export async function openLoad(load: Load, perSecond: number, forMs: number): Promise<Notes> {
  return underNotes(load, async (once) => {
    const running = new Set<Promise<void>>();
    const untilMs = performance.now() + forMs;
    let nextMs = performance.now();
    while (performance.now() < untilMs) {
      for (; nextMs <= performance.now(); nextMs += (-1_000 / perSecond) * Math.log(1 - Math.random())) {
        const call = once().finally(() => running.delete(call));
        running.add(call);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(running);
  });
}

/** A number of callers. Each calls again when it has its answer. */
export async function closedLoad(load: Load, callers: number, forMs: number): Promise<Notes> {
  return underNotes(load, async (once) => {
    const untilMs = performance.now() + forMs;
    const caller = async () => {
      while (performance.now() < untilMs) await once();
    };
    await Promise.all(Array.from({ length: callers }, caller));
  });
}

async function underNotes(load: Load, drive: (once: () => Promise<void>) => Promise<void>): Promise<Notes> {
  const { semaphore, call, waitTimeoutMs } = load;
  const notes: Notes = { calls: [], limits: [] };
  const note = (durationMs: number, outcome: Call['outcome']) =>
    void notes.calls.push({ endedMs: performance.now(), durationMs, outcome });
  const once = async () => {
    let grantedMs = 0;
    try {
      const { statusCode = 200 } = await semaphore.run(
        () => {
          grantedMs = performance.now();
          return call();
        },
        { waitTimeoutMs },
      );
      note(performance.now() - grantedMs, statusCode < 400 ? 'success' : 'refused');
    } catch (error) {
      if (error instanceof WaitTimeoutError) note(0, 'shed');
      else note(performance.now() - grantedMs, 'refused');
    }
  };
  const clock = setInterval(
    () => void notes.limits.push({ atMs: performance.now(), limit: semaphore.limit }),
    noteEveryMs,
  );
  await drive(once);
  clearInterval(clock);
  return notes;
}

export interface PhaseFigures {
  /** A second. */
  readonly goodput: number;
  readonly refused: number;
  readonly shed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly limit: number;
}

export function figuresOf(notes: Notes, fromMs: number, untilMs: number): PhaseFigures {
  const calls = notes.calls.filter(({ endedMs }) => endedMs >= fromMs && endedMs < untilMs);
  const limits = notes.limits.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
  const durations = calls.flatMap(({ outcome, durationMs }) => (outcome === 'success' ? [durationMs] : []));
  const perSecond = (outcome: Call['outcome']) =>
    calls.filter((call) => call.outcome === outcome).length / ((untilMs - fromMs) / 1_000);
  return {
    goodput: perSecond('success'),
    refused: perSecond('refused'),
    shed: perSecond('shed'),
    p50Ms: quantile(durations, 0.5),
    p99Ms: quantile(durations, 0.99),
    limit: limits.reduce((sum, { limit }) => sum + limit, 0) / limits.length,
  };
}

/** How long after `fromMs` a second begins in which goodput is 90 % of the best and the median at most 1.5 times. */
export function followedAfterMs(notes: Notes, fromMs: number, untilMs: number, best: PhaseFigures): number {
  for (let startMs = fromMs; startMs + 1_000 <= untilMs; startMs += 100) {
    const { goodput, p50Ms } = figuresOf(notes, startMs, startMs + 1_000);
    if (goodput >= 0.9 * best.goodput && p50Ms <= 1.5 * best.p50Ms) return startMs - fromMs;
  }
  return Infinity;
}
