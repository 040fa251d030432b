/** Backends, ways and loads that change: how fast does the limit follow, and what does it lose meanwhile? */
import { ServerFarm } from '../simulation/backend.js';
import type { Scenario } from '../simulation/scenario.js';
import type { Timeline } from '../simulation/timeline.js';
import { between, bimodal, closed, exponential, farm, open } from './parts.js';

const ninety = { seconds: 90, fromSecond: 5, changes: [30, 60], demandPerSecond: 2_000 };
const halved = (second: number) => (between(second, 30, 60) ? 10 : 20);

function halvedFarm(timeline: Timeline, meanMs = 10): ServerFarm {
  const backend = farm(timeline, 20, meanMs);
  timeline.at(30_000, () => {
    backend.servers = 10;
  });
  timeline.at(60_000, () => {
    backend.servers = 20;
  });
  return backend;
}

/** The network's time, and the limit that fills the servers and the network. */
const driftMs = (second: number) => 5 + 30 * Math.min(1, Math.max(0, (second - 20) / 60));
const stepMs = (second: number) => (between(second, 30, 60) ? 25 : 5);
const filling = (networkMs: number) => 22 + 2.4 * networkMs;

function distantFarm(timeline: Timeline, networkMs: (second: number) => number): ServerFarm {
  return new ServerFarm(timeline, {
    servers: 20,
    serviceMs: exponential(timeline, 10),
    networkMs: () => networkMs(timeline.nowMs / 1_000),
  });
}

/** 20 to 8 servers in forty seconds, and back. */
const ramp = (second: number) =>
  Math.round(20 - 12 * Math.min(1, Math.max(0, 1 - Math.abs(second - 60) / 40)));
const wave = (second: number) => (Math.floor(second / 10) % 2 === 1 ? 10 : 20);

function farmOf(timeline: Timeline, seconds: number, servers: (second: number) => number): ServerFarm {
  const backend = farm(timeline, servers(0));
  for (let second = 1; second < seconds; second++) {
    timeline.at(second * 1_000, () => {
      backend.servers = servers(second);
    });
  }
  return backend;
}

export const changing: readonly Scenario[] = [
  {
    id: 'c1',
    what: '20 servers, 10 from second 30 to 60',
    ...ninety,
    oracle: halved,
    build: (timeline) => ({ backend: halvedFarm(timeline), load: closed(400) }),
  },
  {
    id: 'c2',
    what: 'the same, open load of 1,600 a second, callers leave after 200 ms',
    ...ninety,
    demandPerSecond: 1_600,
    oracle: halved,
    build: (timeline) => ({ backend: halvedFarm(timeline), load: open(1_600, 200) }),
  },
  {
    id: 'c3',
    what: 'the same at half the speed: 20 ms, 1,300 a second',
    ...ninety,
    demandPerSecond: 1_300,
    oracle: halved,
    build: (timeline) => ({ backend: halvedFarm(timeline, 20), load: open(1_300, 250) }),
  },
  {
    id: 'd1',
    what: 'the network drifts from 5 to 35 ms in a minute',
    seconds: 100,
    fromSecond: 5,
    demandPerSecond: 2_000,
    oracle: (second) => Math.floor(filling(driftMs(second))),
    build: (timeline) => ({ backend: distantFarm(timeline, driftMs), load: closed(800) }),
  },
  {
    id: 'd2',
    what: 'the network steps from 5 to 25 ms and back',
    ...ninety,
    oracle: (second) => Math.floor(filling(stepMs(second))),
    build: (timeline) => ({ backend: distantFarm(timeline, stepMs), load: closed(800) }),
  },
  {
    id: 'e2',
    what: '10 % of the calls are slow, 40 % from second 30 to 60',
    ...ninety,
    oracle: () => 20,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers: 20,
        serviceMs: bimodal(timeline, 5, 55, () => (between(timeline.nowMs, 30_000, 60_000) ? 0.4 : 0.1)),
      }),
      load: closed(400),
    }),
  },
  {
    id: 'g1',
    what: 'little load for 40 s, then a burst of 150 % for 5 s',
    seconds: 60,
    fromSecond: 2,
    demandPerSecond: 100,
    oracle: () => 20,
    build: (timeline) => ({
      backend: farm(timeline, 20),
      load: open((second) => (between(second, 40, 45) ? 3_000 : 100), 100),
    }),
  },
  {
    id: 'k7',
    what: 'callers come and go: 12, then 400, then 12',
    ...ninety,
    oracle: () => 20,
    build: (timeline) => ({
      backend: farm(timeline, 20),
      load: { kind: 'closed', workers: (second) => (between(second, 30, 60) ? 400 : 12) },
    }),
  },
  {
    id: 'l1',
    what: '20 servers, slowly down to 8 and up again',
    seconds: 120,
    fromSecond: 5,
    demandPerSecond: 2_000,
    oracle: ramp,
    build: (timeline) => ({ backend: farmOf(timeline, 120, ramp), load: closed(400) }),
  },
  {
    id: 'l6',
    what: '20 servers and 10, every ten seconds',
    seconds: 100,
    fromSecond: 10,
    demandPerSecond: 2_000,
    oracle: wave,
    build: (timeline) => ({ backend: farmOf(timeline, 100, wave), load: closed(400) }),
  },
];
