/** Several processes call one backend, without a connection to each other. Limits are those of one process. */
import { ServerFarm } from '../simulation/backend.js';
import type { Scenario } from '../simulation/scenario.js';
import { closed, farm, open, sharedProcessor } from './parts.js';

const shared = { seconds: 90, fromSecond: 30 };

/** A batch that always has work, and a process whose callers come at `perSecond` and want an answer within 200 ms. */
function besideBatch(id: string, perSecond: number, limitOfBatch: number): Scenario {
  return {
    id,
    what: `a batch, and a process of ${perSecond} calls a second with a deadline of 200 ms, 20 servers`,
    ...shared,
    clients: 2,
    staggerSeconds: 0,
    demandPerSecond: perSecond,
    oracle: (_second, client) => (client === 0 ? limitOfBatch : 20),
    wantedOfEach: 0.9,
    build: (timeline) => ({
      backend: farm(timeline, 20),
      load: { ...open(perSecond, 100), deadlineMs: 200 },
      loadOfFirst: closed(400),
    }),
  };
}

const fourClosed: Scenario = {
  id: 'j1',
  what: '4 processes, 40 servers',
  ...shared,
  clients: 4,
  demandPerSecond: 1_000,
  oracle: () => 10,
  build: (timeline) => ({ backend: farm(timeline, 40), load: closed(400) }),
};

const fourOpen: Scenario = {
  id: 'j3',
  what: '4 processes that want 130 % of 20 servers together, each with its own callers',
  ...shared,
  clients: 4,
  staggerSeconds: 1,
  demandPerSecond: 325,
  oracle: () => 5,
  build: (timeline) => ({ backend: farm(timeline, 20, 20), load: open(325, 250) }),
};

export const sharedByClients: readonly Scenario[] = [
  fourClosed,
  {
    id: 'j2',
    what: '16 processes, 64 servers',
    ...shared,
    clients: 16,
    staggerSeconds: 1,
    demandPerSecond: 400,
    oracle: () => 4,
    build: (timeline) => ({ backend: farm(timeline, 64), load: closed(400) }),
  },
  fourOpen,
  {
    id: 'j4',
    what: 'as j3, and a call that finds 20 calls in the queue is refused',
    ...shared,
    clients: 4,
    staggerSeconds: 1,
    demandPerSecond: 325,
    oracle: () => 5,
    build: (timeline) => ({
      backend: new ServerFarm(timeline, {
        servers: 20,
        serviceMs: () => timeline.random.exponential(20),
        queueMax: 20,
      }),
      load: open(325, 250),
    }),
  },
  {
    id: 'j5',
    what: '16 processes that want 130 % of 20 servers together',
    ...shared,
    clients: 16,
    staggerSeconds: 0.25,
    demandPerSecond: 81,
    oracle: () => 2,
    build: (timeline) => ({ backend: farm(timeline, 20, 20), load: open(81, 250) }),
  },
  { ...fourClosed, id: 'j6', what: 'as j1, and the clocks agree', clockStepMs: 0 },
  { ...fourOpen, id: 'j7', what: 'as j3, and the clocks agree', clockStepMs: 0 },
  {
    id: 'l4',
    what: '6 processes, one shared processor',
    ...shared,
    clients: 6,
    staggerSeconds: 2,
    demandPerSecond: 225,
    oracle: () => 7,
    build: (timeline) => ({ backend: sharedProcessor(timeline, 0.03, 0.0005), load: closed(400) }),
  },
  besideBatch('s1', 400, 16),
  besideBatch('s2', 800, 12),
  besideBatch('s3', 1_000, 10),
];
