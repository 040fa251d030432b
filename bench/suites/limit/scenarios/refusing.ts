/** Backends that say no, or nothing: does the limit learn from it, and does it come back? */
import { ServerFarm, withHang, withOutage, withQuota } from '../simulation/backend.js';
import type { Scenario } from '../simulation/scenario.js';
import { between, closed, exponential, farm, open } from './parts.js';

const minute = { seconds: 60, fromSecond: 5, demandPerSecond: 2_000, oracle: () => 20 };

export const refusing: readonly Scenario[] = [
  {
    id: 'f1',
    what: 'refuses when more than 10 wait',
    ...minute,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers: 20,
        serviceMs: exponential(timeline, 10),
        queueMax: 10,
        refuseMs: 2,
      }),
      load: closed(100),
    }),
  },
  {
    id: 'f2',
    what: 'callers give up after 100 ms, the work is done in vain; open load of 130 %',
    ...minute,
    demandPerSecond: 2_600,
    build: (timeline) => ({ backend: farm(timeline, 20), load: open(2_600, 50), timeoutMs: 100 }),
  },
  {
    id: 'k5',
    what: 'out for five seconds: everything is refused at once',
    ...minute,
    changes: [35],
    build: (timeline) => ({
      backend: withOutage(timeline, farm(timeline, 20), {
        isOut: () => between(timeline.nowMs, 30_000, 35_000),
      }),
      load: closed(100),
    }),
  },
  {
    id: 'k6',
    what: 'hangs for three seconds: nothing is answered',
    ...minute,
    changes: [33],
    build: (timeline) => ({
      backend: withHang(timeline, farm(timeline, 20), { fromMs: 30_000, untilMs: 33_000 }),
      load: closed(400),
    }),
  },
  {
    id: 'l5',
    what: 'a quota of 12 at once, the rest is answered 429',
    ...minute,
    demandPerSecond: 1_200,
    oracle: () => 12,
    build: (timeline) => ({
      backend: withQuota(timeline, farm(timeline, 1_000), { quota: 12, refuseMs: 5 }),
      load: closed(60),
    }),
  },
];
