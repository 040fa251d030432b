/** Ways to refuse a call at once, for comparison: what a clairvoyant would do, a prediction, and a PID rejector. */
import { Semaphore } from 'latchkey';
import type { Timeline } from '../limit/simulation/timeline.js';
import { type Call, limit, type Server, taskMs } from './scenarios.js';

const refusal = new Error('refused');

/** Knows how long every task takes: no policy answers more calls of one deadline in time, if no call may wait longer. */
export function clairvoyant(longestWaitMs = Infinity): Server {
  const semaphore = new Semaphore(limit);
  /** When each permit becomes free. */
  const freeMs = new Array<number>(limit).fill(0);
  return async ({ atMs, deadlineMs, task }) => {
    const first = freeMs.indexOf(Math.min(...freeMs));
    const startMs = Math.max(atMs, freeMs[first]!);
    if (startMs - atMs > Math.min(longestWaitMs, deadlineMs - taskMs)) throw refusal;
    freeMs[first] = startMs + taskMs;
    await semaphore.run(task);
  };
}

/** The calls that wait, the mean gap between grants, and the slow calls of late: six numbers, nothing to set. */
export function prediction(timeline: Timeline): Server {
  const semaphore = new Semaphore(limit);
  let [emptyMs, gapMs, grantedMs, meanMs, q90Ms, q95Ms] = [0, 0, 0, 0, 0, 0];
  const arrive = ({ atMs, deadlineMs }: Call) => {
    if (semaphore.waiting === 0) {
      emptyMs = atMs;
      return;
    }
    const isOverloaded = atMs - emptyMs > 2 * deadlineMs;
    const roomMs = (deadlineMs - q95Ms) / (isOverloaded ? 4 : 1);
    if (gapMs > 0 && semaphore.waiting * gapMs * 1.1 > roomMs) throw refusal;
  };
  const grant = ({ atMs, deadlineMs }: Call) => {
    const { nowMs } = timeline;
    if (nowMs + q90Ms > atMs + deadlineMs) throw refusal;
    if (semaphore.waiting > 0) gapMs += 0.05 * (Math.min(nowMs - grantedMs, 1_000) - gapMs);
    grantedMs = nowMs;
  };
  const done = (tookMs: number) => {
    if (meanMs === 0) meanMs = q90Ms = q95Ms = tookMs;
    meanMs += 0.05 * (tookMs - meanMs);
    const stepMs = 0.05 * meanMs;
    q95Ms += tookMs > q95Ms ? 0.95 * stepMs : -0.05 * stepMs;
    q90Ms += tookMs > q90Ms ? 0.9 * stepMs : -0.1 * stepMs;
  };
  return async (call) => {
    arrive(call);
    await semaphore.run(async () => {
      grant(call);
      const startedMs = timeline.nowMs;
      await call.task();
      done(timeline.nowMs - startedMs);
    });
  };
}

/**
 * Re-implemented from what is published of Uber's Cinnamon: a share of the calls is refused by chance. A controller of the
 * proportional and integral kind sets the share from arrivals and ends of each 100 ms, and from how many wait.
 */
export function pidRejector(timeline: Timeline): Server {
  const everyMs = 100;
  const [proportional, integral] = [0.1, 1.4];
  const semaphore = new Semaphore(limit);
  let [untilMs, arrived, ended, sum, share] = [everyMs, 0, 0, 0, 0];
  const control = (nowMs: number) => {
    if (nowMs < untilMs) return;
    untilMs = nowMs + everyMs;
    const error = (arrived * (1 - share) - ended + semaphore.waiting - limit) / Math.max(1, ended);
    sum = Math.min(10, Math.max(0, sum + (error * everyMs) / 1_000));
    share = Math.min(0.95, Math.max(0, proportional * error + integral * sum));
    [arrived, ended] = [0, 0];
  };
  return async ({ atMs, task }) => {
    control(atMs);
    arrived++;
    if (timeline.random.exponential(1) < -Math.log(1 - share)) throw refusal;
    await semaphore.run(task);
    ended++;
  };
}
