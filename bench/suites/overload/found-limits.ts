/** A batch and callers with a deadline before one backend of 20 servers of 10 ms, whose limit is found by `ElasticLimit`. */
import { AdaptiveSemaphore, type AdaptiveSemaphoreOptions } from 'latchkey';
import { fairShare } from 'latchkey/overload';
import { ServerFarm } from '../limit/simulation/backend.js';
import type { Timeline } from '../limit/simulation/timeline.js';
import { type Outcome, play, type Server, type Setting, type Stream } from './scenarios.js';

const deadlineMs = 200;
const counted = { seconds: 91, fromSecond: 30 };
const countedSeconds = counted.seconds - 1 - counted.fromSecond;

const serverFor = (timeline: Timeline, semaphoreOf: (partition: unknown) => AdaptiveSemaphore): Server => {
  const backend = new ServerFarm(timeline, {
    servers: 20,
    serviceMs: () => timeline.random.exponential(10),
  });
  return ({ partition }) => {
    // Callers wait for half of their patience at most.
    const wait = partition === 'high' ? { partition, waitTimeoutMs: deadlineMs / 2 } : { partition };
    return semaphoreOf(partition).run(() => new Promise(backend.submit.bind(backend)), wait);
  };
};

const limitForEach = (timeline: Timeline): Server => {
  const semaphores = { high: new AdaptiveSemaphore(), low: new AdaptiveSemaphore() };
  return serverFor(timeline, (partition) => semaphores[partition as 'high' | 'low']);
};

const oneLimit =
  (options?: AdaptiveSemaphoreOptions) =>
  (timeline: Timeline): Server => {
    const semaphore = new AdaptiveSemaphore(options);
    return serverFor(timeline, () => semaphore);
  };

export const settings: readonly Setting[] = [
  { name: 'a limit for each', make: limitForEach },
  { name: 'one limit, first come, first served', make: oneLimit() },
  {
    name: 'one limit, fairShare, 1 : 9',
    make: (timeline) =>
      oneLimit({ order: fairShare({ share: (partition) => (partition === 'low' ? 1 : 9) }) })(timeline),
  },
];

/** @returns what is answered of the calls in time, and how many calls a second the batch makes. */
export async function beside(
  setting: Setting,
  perSecond: number,
): Promise<{ inTime: number; batch: number }> {
  const streams: Stream[] = [
    { partition: 'high', perSecond: () => perSecond, deadlineMs },
    { partition: 'low', callers: 400, deadlineMs: Infinity },
  ];
  const [high, low] = (await play(setting, streams, counted)) as [Outcome, Outcome];
  return { inTime: high.useful / high.offered, batch: low.useful / countedSeconds };
}
