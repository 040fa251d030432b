/** Situations from public reports of services: failures that no limit prevents, outages, pauses, quotas that move. */
import {
  type Backend,
  ServerFarm,
  withFailures,
  withHang,
  withOutage,
  withPauses,
  withQuota,
  withRate,
  withWindow,
} from '../simulation/backend.js';
import type { Scenario } from '../simulation/scenario.js';
import type { Timeline } from '../simulation/timeline.js';
import { between, closed, farm } from './parts.js';

const minute = { seconds: 60, fromSecond: 5, demandPerSecond: 2_000, oracle: () => 20 };
const twenty = (timeline: Timeline) => farm(timeline, 20);

/** `share` of the calls fail after 2 ms, whatever the concurrency is. */
function failing(id: string, share: number, what: string): Scenario {
  return {
    id,
    what,
    ...minute,
    build: (timeline) => ({
      backend: withFailures(timeline, twenty(timeline), { share: () => share, failMs: 2 }),
      load: closed(400),
    }),
  };
}

/** From second 30 nothing is answered for `hangSeconds`; callers give up after a second. */
function hanging(id: string, hangSeconds: number): Scenario {
  const untilMs = 30_000 + hangSeconds * 1_000;
  return {
    id,
    what: `hangs for ${hangSeconds} s, callers give up after 1 s`,
    ...minute,
    changes: [30 + hangSeconds],
    build: (timeline) => ({
      backend: withHang(timeline, twenty(timeline), { fromMs: 30_000, untilMs, losesCalls: true }),
      load: closed(400),
      timeoutMs: 1_000,
    }),
  };
}

/** From second 30 every call is refused at once for `outSeconds`. */
function out(id: string, outSeconds: number): Scenario {
  return {
    id,
    what: `out for ${outSeconds} s: every call is refused at once`,
    ...minute,
    changes: [30 + outSeconds],
    build: (timeline) => ({
      backend: withOutage(timeline, twenty(timeline), {
        isOut: () => between(timeline.nowMs, 30_000, 30_000 + outSeconds * 1_000),
      }),
      load: closed(100),
    }),
  };
}

interface Bucket {
  readonly perSecond: number;
  readonly callSeconds: number;
  readonly burst: number;
}

/** Few, long calls behind a token bucket; more callers than it lets through. */
function bucket(id: string, { perSecond, callSeconds, burst }: Bucket): Scenario {
  const knee = perSecond * callSeconds;
  return {
    id,
    what: `few, long calls behind a token bucket: ${perSecond} a second, ${callSeconds} s each`,
    seconds: 100 * callSeconds,
    fromSecond: (50 / 3) * callSeconds,
    demandPerSecond: (5 / 3) * perSecond,
    oracle: () => knee,
    build: (timeline) => ({
      backend: withRate(
        timeline,
        new ServerFarm(timeline, {
          servers: 1_000,
          serviceMs: () => timeline.random.lognormal(callSeconds * 1_000, 0.3),
        }),
        { perSecond, burst, refuseMs: 100 },
      ),
      load: closed(Math.ceil((5 / 3) * knee)),
    }),
  };
}

/** Other clients use up to 18 of the 20 servers for 5 s; a call that finds 10 calls in the queue is refused. */
function swamped(timeline: Timeline): Backend {
  const backend = new ServerFarm(timeline, {
    servers: 20,
    serviceMs: () => timeline.random.exponential(10),
    queueMax: 10,
    refuseMs: 2,
  });
  timeline.at(30_000, () => {
    backend.servers = 2;
  });
  timeline.at(35_000, () => {
    backend.servers = 20;
  });
  return backend;
}

const moving = (second: number) => (between(second, 20, 40) ? 8 : 30);

export const field: readonly Scenario[] = [
  failing('m1', 0.05, '5 % of the calls fail at any limit'),
  failing('m2', 0.125, 'one broken replica of eight'),
  failing('m3', 0.15, '15 % of the calls fail at any limit'),
  failing('m4', 0.3, '30 % of the calls fail at any limit'),
  {
    id: 'm5',
    what: 'a bad tenant from second 20 to 40: 20 % of the calls fail',
    ...minute,
    changes: [20, 40],
    build: (timeline) => ({
      backend: withFailures(timeline, twenty(timeline), {
        share: () => (between(timeline.nowMs, 20_000, 40_000) ? 0.2 : 0),
        failMs: 2,
      }),
      load: closed(400),
    }),
  },
  hanging('n1', 1),
  hanging('n2', 4),
  hanging('n3', 8),
  out('n4', 1),
  out('n5', 8),
  {
    id: 'n6',
    what: 'others take 18 of 20 servers for 5 s; refuses when more than 10 wait',
    ...minute,
    changes: [30, 35],
    oracle: (second) => (between(second, 30, 35) ? 2 : 20),
    build: (timeline) => ({ backend: swamped(timeline), load: closed(100) }),
  },
  {
    id: 'p1',
    what: 'pauses of 300 ms every 4 s (garbage collection)',
    ...minute,
    build: (timeline) => ({
      backend: withPauses(timeline, twenty(timeline), { everyMs: 4_000, pauseMs: 300 }),
      load: closed(400),
    }),
  },
  bucket('q1', { perSecond: 3, callSeconds: 12, burst: 10 }),
  {
    id: 'q2',
    what: 'a limit of connections that moves: 30, 8 from second 20 to 40, 30; the rest is answered 429',
    ...minute,
    changes: [20, 40],
    demandPerSecond: 3_000,
    oracle: moving,
    build: (timeline) => ({
      backend: withQuota(timeline, farm(timeline, 1_000), {
        quota: () => moving(timeline.nowMs / 1_000),
        refuseMs: 5,
      }),
      load: closed(100),
    }),
  },
  {
    id: 'q3',
    what: 'a quota of 1,000 calls in each second, of 20 ms each; the rest of the second is answered 429',
    ...minute,
    demandPerSecond: 1_000,
    oracle: () => 20,
    build: (timeline) => ({
      backend: withWindow(timeline, farm(timeline, 1_000, 20), {
        calls: 1_000,
        windowMs: 1_000,
        refuseMs: 5,
      }),
      load: closed(100),
    }),
  },
  bucket('q4', { perSecond: 10, callSeconds: 3, burst: 10 }),
  bucket('q5', { perSecond: 1, callSeconds: 20, burst: 5 }),
  {
    id: 'r1',
    what: 'few calls: two servers of 200 ms',
    seconds: 300,
    fromSecond: 30,
    demandPerSecond: 10,
    oracle: () => 2,
    build: (timeline) => ({ backend: farm(timeline, 2, 200), load: closed(30) }),
  },
];
