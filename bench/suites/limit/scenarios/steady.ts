/** Backends that stay as they are: is the knee found, whatever the service times are? */
import { ServerFarm } from '../simulation/backend.js';
import type { Scenario } from '../simulation/scenario.js';
import { bimodal, closed, farm, open, sharedProcessor } from './parts.js';

const minute = { seconds: 60, fromSecond: 5 };
const twenty = { ...minute, demandPerSecond: 2_000, oracle: () => 20 };

/** A cache that answers most calls, and the others take a hundred times as long. */
function longTail(
  id: string,
  servers: number,
  hitMs: number,
  missMs: number,
  missShare: number,
  demandPerSecond: number,
): Scenario {
  return {
    id,
    what: `${100 - 100 * missShare} % take ${hitMs} ms, ${100 * missShare} % ${missMs} ms, open load of 95 %, ${servers} servers`,
    ...twenty,
    demandPerSecond,
    oracle: () => Math.round(1.25 * servers),
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers,
        serviceMs: bimodal(timeline, hitMs, missMs, () => missShare),
      }),
      load: open(demandPerSecond, 1_000),
    }),
  };
}

export const steady: readonly Scenario[] = [
  {
    id: 'a1',
    what: '20 servers of 10 ms, 400 callers',
    ...twenty,
    build: (timeline) => ({ backend: farm(timeline, 20), load: closed(400) }),
  },
  {
    id: 'a2',
    what: '20 servers, open load of 80 %',
    ...twenty,
    demandPerSecond: 1_600,
    build: (timeline) => ({ backend: farm(timeline, 20), load: open(1_600, 1_000) }),
  },
  {
    id: 'a3',
    what: '20 servers, open load of 150 %, callers leave after 100 ms',
    ...twenty,
    demandPerSecond: 3_000,
    build: (timeline) => ({ backend: farm(timeline, 20), load: open(3_000, 100) }),
  },
  {
    id: 'b1',
    what: 'shared processor that gets slower (.03, .0005)',
    ...minute,
    demandPerSecond: 1_360,
    oracle: () => 44,
    build: (timeline) => ({ backend: sharedProcessor(timeline, 0.03, 0.0005), load: closed(400) }),
  },
  {
    id: 'b2',
    what: 'the same, open load of 90 %',
    ...minute,
    demandPerSecond: 1_220,
    oracle: () => 44,
    build: (timeline) => ({ backend: sharedProcessor(timeline, 0.03, 0.0005), load: open(1_220, 500) }),
  },
  {
    id: 'e1',
    what: '90 % of the calls take 5 ms, 10 % 55 ms',
    ...twenty,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers: 20,
        serviceMs: bimodal(timeline, 5, 55, () => 0.1),
      }),
      load: closed(400),
    }),
  },
  {
    id: 'h1',
    what: 'cold start at 20, the knee is at 100',
    seconds: 20,
    fromSecond: 0,
    changes: [0],
    demandPerSecond: 10_000,
    oracle: () => 100,
    build: (timeline) => ({ backend: farm(timeline, 100), load: closed(1_000) }),
  },
  {
    id: 'h2',
    what: 'cold start at 20, the knee is at 4',
    seconds: 20,
    fromSecond: 0,
    changes: [0],
    demandPerSecond: 400,
    oracle: () => 4,
    build: (timeline) => ({ backend: farm(timeline, 4), load: closed(400) }),
  },
  {
    id: 'i1',
    what: 'like a language model: 8 at once, 1.5 s each',
    seconds: 900,
    fromSecond: 100,
    demandPerSecond: 5.3,
    oracle: () => 8,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers: 8,
        serviceMs: () => timeline.random.lognormal(1_500, 0.6),
      }),
      load: closed(64),
    }),
  },
  {
    id: 'i2',
    what: '200 servers of 5 ms, 40,000 calls a second',
    seconds: 20,
    fromSecond: 5,
    demandPerSecond: 40_000,
    oracle: () => 200,
    build: (timeline) => ({ backend: farm(timeline, 200, 5), load: closed(2_000) }),
  },
  {
    id: 'k1',
    what: '8 servers, every call takes exactly 10 ms',
    ...minute,
    demandPerSecond: 800,
    oracle: () => 8,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, { servers: 8, serviceMs: () => 10 }),
      load: closed(100),
    }),
  },
  {
    id: 'k2',
    what: '8 servers, durations of long tail (lognormal, variation 2)',
    ...minute,
    demandPerSecond: 800,
    oracle: () => 8,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, { servers: 8, serviceMs: () => timeline.random.lognormal(10, 2) }),
      load: closed(100),
    }),
  },
  {
    id: 'k3',
    what: 'shared processor of much contention (.1, .0001)',
    ...minute,
    demandPerSecond: 850,
    oracle: () => 95,
    build: (timeline) => ({ backend: sharedProcessor(timeline, 0.1, 0.0001), load: closed(300) }),
  },
  {
    id: 'k4',
    what: 'shared processor of pure coherency (0, .001)',
    ...minute,
    demandPerSecond: 1_600,
    oracle: () => 32,
    build: (timeline) => ({ backend: sharedProcessor(timeline, 0, 0.001), load: closed(300) }),
  },
  {
    id: 'k8',
    what: 'two servers',
    ...minute,
    demandPerSecond: 200,
    oracle: () => 2,
    build: (timeline) => ({ backend: farm(timeline, 2), load: closed(20) }),
  },
  {
    id: 'k9',
    what: '1 % of the calls take 500 ms',
    ...twenty,
    demandPerSecond: 1_340,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers: 20,
        serviceMs: () => (timeline.random.uniform() < 0.01 ? 500 : timeline.random.exponential(10)),
      }),
      load: closed(400),
    }),
  },
  {
    id: 'l2',
    what: 'shared processor that collapses early (.02, .001)',
    ...minute,
    demandPerSecond: 1_225,
    oracle: () => 31,
    build: (timeline) => ({ backend: sharedProcessor(timeline, 0.02, 0.001), load: closed(200) }),
  },
  {
    id: 'l3',
    what: '98 % take 2 ms, 2 % 200 ms, open load of 95 %',
    ...twenty,
    demandPerSecond: 3_188,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers: 20,
        serviceMs: bimodal(timeline, 2, 200, () => 0.02),
      }),
      load: open(3_188, 1_000),
    }),
  },
  longTail('t1', 50, 2, 200, 0.1, 2_177),
  longTail('t2', 20, 5, 500, 0.05, 639),
  longTail('t3', 20, 20, 2_000, 0.02, 319),
];
