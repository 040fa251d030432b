/** Every primitive in worlds small enough to walk all of their schedules. */
import { controlledDelay, fairShare } from 'latchkey/overload';
import type * as everything from '../everything.js';
import type { Hurry, World } from '../explore.js';
import { type FlightPlan, FlightWorld } from './flights.js';
import { type LeasePlan, LeaseWorld } from './leases.js';
import {
  adaptiveSemaphore,
  controlledSemaphore,
  instantPool,
  keyedMutex,
  type LockSubject,
  mutex,
  newestFirstSemaphore,
  partitionedSemaphore,
  semaphore,
  sharedSemaphore,
} from './lock-subjects.js';
import { type LockPlan, LockWorld } from './locks.js';
import { type PoolPlan, PoolWorld } from './pool.js';
import { type QueuePlan, QueueWorld } from './queue.js';

export interface SmallWorld {
  readonly primitive: string;
  /** What may happen in it. */
  readonly story: string;
  make(from: typeof everything): World;
}

const aborts = { mayAbort: true };
const late = { patienceMs: 10 };

const ofLock = (subject: LockSubject, story: string, plan: LockPlan): SmallWorld => ({
  primitive: subject.name,
  story,
  make: (from) => new LockWorld(subject, from, plan),
});
const ofPool = (story: string, plan: PoolPlan): SmallWorld => ({
  primitive: 'ConnectionPool',
  story,
  make: (from) => new PoolWorld(from, plan),
});
const ofQueue = (story: string, plan: QueuePlan): SmallWorld => ({
  primitive: 'BoundedQueue',
  story,
  make: (from) => new QueueWorld(from, plan),
});
const ofFlights = (story: string, plan: FlightPlan): SmallWorld => ({
  primitive: 'SingleFlight',
  story,
  make: (from) => new FlightWorld(from, plan),
});
const ofLeases = (story: string, plan: LeasePlan): SmallWorld => ({
  primitive: 'LeaseKeeper',
  story,
  make: (from) => new LeaseWorld(from, plan),
});

const one = { wants: [1] };
const two = { wants: [2] };
const it = { wants: ['it'] };
const consumers = [{ max: 2 }, { max: 1, ...aborts }];
const [here, there] = [{ process: 0 }, { process: 1 }];

/** Worlds of few moves, for moves that follow closely. */
export const tinyWorlds: readonly SmallWorld[] = [
  ofLock(mutex, 'one aborts, one times out', { workers: [it, { ...it, ...aborts }, { ...it, ...late }] }),
  ofLock(keyedMutex, 'one key or both', {
    workers: [{ wants: ['a', 'b'], ...aborts }, { wants: ['a'], ...late }, { wants: ['b', 'a'] }],
  }),
  ofLock(keyedMutex, 'three keys, two each, in a ring', {
    workers: [{ wants: ['a', 'b'] }, { wants: ['b', 'c'], ...aborts }, { wants: ['c', 'a'], ...late }],
  }),
  ofLock(semaphore, 'the limit changes', { workers: [{ ...two, ...aborts }, one], limits: [1, 2] }),
  ...[controlledSemaphore, sharedSemaphore].map((subject) =>
    ofLock(subject, 'the limit changes', { workers: [{ ...two, ...aborts }, one], limits: [1, 2] }),
  ),
  ofLock(newestFirstSemaphore, 'one at a time, one aborts', { workers: [two, { ...two, ...aborts }, two] }),
  ofLock(partitionedSemaphore, 'one at a time, two partitions', {
    workers: [{ wants: [2, 'a'] }, { wants: [2, 'a'], ...aborts }, { wants: [2, 'b'] }],
  }),
  ofLock(semaphore, 'it is paused', { workers: [two, { ...one, ...aborts }], limits: [0, 2] }),
  ofLock(semaphore, 'it closes', { workers: [two, { ...one, ...aborts }], closes: true }),
  ofLock(adaptiveSemaphore(1), 'the algorithm raises the limit', {
    workers: [one, { ...one, ...aborts }],
    limits: [2],
  }),
  ofLock(adaptiveSemaphore(1), 'it closes', { workers: [one, { ...one, ...aborts }], closes: true }),
  ofPool('a dial fails', { options: {}, workers: [{}, aborts], failures: 1 }),
  ofPool('a dial fails, and a caller times out', { options: {}, workers: [{}, late, {}], failures: 1 }),
  // In a queue that is not overloaded, and with one partition, these orders are first come, first served.
  ...Object.entries({
    controlledDelay: controlledDelay({ intervalMs: Infinity }),
    fairShare: fairShare(),
  }).map(([name, order]) =>
    ofPool(`${name}: a dial fails, and a caller times out`, {
      options: { order },
      workers: [{}, late, {}],
      failures: 1,
    }),
  ),
  ofPool('two keys, room for one', {
    options: {},
    workers: [{ key: 'a' }, { key: 'b', ...aborts }],
    closesSlowly: true,
    heedsAborts: true,
  }),
  ofPool('idle connections are validated', {
    options: { validateAfterIdleMs: 0 },
    workers: [{}, aborts],
    refusals: 1,
  }),
  ofPool('connections are lost', { options: {}, workers: [{}, aborts], losses: 1, closesSlowly: true }),
  ofPool('a connection dies under its holder, or idle', { options: {}, workers: [{}, aborts], deaths: 1 }),
  ofPool('a dial hangs until its timeout', {
    options: { connectTimeoutMs: 10 },
    workers: [{}, aborts],
    heedsAborts: true,
  }),
  ofPool('a check hangs until its timeout', {
    options: { validateAfterIdleMs: 0, validateTimeoutMs: 10 },
    workers: [{}, aborts],
    refusals: 0,
  }),
  ofPool('it is reset', { options: { max: 2 }, workers: [{}, {}], resets: 1 }),
  ofPool('two share a connection', { options: { max: 2, leasesPerConnection: 2 }, workers: [{}, {}, {}] }),
  ofPool('it closes, and waits for leases', { options: {}, workers: [{}, aborts], graceMs: Infinity }),
  ofPool('it closes by force', { options: {}, workers: [{}, {}], graceMs: 0 }),
  ofQueue('wait: producers abort', {
    capacity: 1,
    policy: 'wait',
    producers: [{}, aborts, {}],
    consumers: [{ max: 1 }],
  }),
  ofQueue('wait: consumers abort, and it closes', {
    capacity: 1,
    policy: 'wait',
    producers: [{}, {}],
    consumers: [{ max: 1, ...aborts }],
    closes: true,
  }),
  ...(['reject', 'drop-oldest', 'drop-newest'] as const).map((policy) =>
    ofQueue(policy, { capacity: 1, policy, producers: [{}, {}], consumers }),
  ),
  ofFlights('a caller aborts, a call fails', {
    callers: [{ key: 'a' }, { key: 'a', ...aborts }],
    failures: 1,
  }),
  ofFlights('all leave', {
    callers: [
      { key: 'a', ...aborts },
      { key: 'a', ...late },
    ],
  }),
  ofLeases('a session ends', { workers: [here, here], ends: 1 }),
  ofLeases('two processes, one may abort', { workers: [here, { ...there, ...aborts }] }),
  ofLeases('one process, one may abort', { workers: [here, { ...here, ...aborts }] }),
  ofLeases('the database wakes the waiters', { workers: [here, there], wakes: true }),
  ofLeases('an answer is lost', { workers: [here, here], losses: 1 }),
];

/** Larger ones, for moves between which microtasks are drained. */
export const smallWorlds: readonly SmallWorld[] = [
  ofLock(mutex, 'two may abort, one times out', {
    workers: [it, it, { ...it, ...aborts, ...late }, { ...it, ...aborts }],
  }),
  ofLock(keyedMutex, 'one key or both, for four', {
    workers: [
      { wants: ['a', 'b'], ...aborts },
      { wants: ['a'], ...late },
      { wants: ['b', 'a'] },
      { wants: ['b'] },
    ],
  }),
  ofLock(semaphore, 'a heavy one, one times out, the limit changes', {
    workers: [{ ...two, ...aborts }, one, { ...one, ...late }],
    limits: [1, 2],
  }),
  ofLock(semaphore, 'a heavy one, one times out, it closes', {
    workers: [two, { ...one, ...aborts }, { ...one, ...late }],
    closes: true,
  }),
  ofLock(newestFirstSemaphore, 'it is paused', {
    workers: [two, { ...two, ...aborts }, two],
    limits: [0, 2],
  }),
  ofLock(partitionedSemaphore, 'one at a time, three partitions', {
    workers: [
      { wants: [2, 'a'] },
      { wants: [2, 'a'], ...aborts },
      { wants: [2, 'b'], ...aborts },
      { wants: [2, 'a'] },
      { wants: [2, 'c'] },
    ],
  }),
  ofLock(adaptiveSemaphore(2), 'the algorithm lowers the limit', {
    workers: [one, one, { ...one, ...aborts }],
    limits: [1],
  }),
  ofLock(adaptiveSemaphore(1), 'the algorithm raises the limit and lowers it', {
    workers: [one, one, { ...one, ...aborts }],
    limits: [2, 1],
  }),
  ofLock(instantPool, 'it closes, and nothing takes time', {
    workers: [one, { ...one, ...aborts }, { ...one, ...late }],
    closes: true,
  }),
  ofPool('a dial fails, for three', { options: { max: 2 }, workers: [{}, {}, {}], failures: 1 }),
  ofPool('two keys, room for one, for three', {
    options: {},
    workers: [{ key: 'a' }, { key: 'b', ...aborts }, { key: 'a' }],
    closesSlowly: true,
    heedsAborts: true,
  }),
  ofPool('idle connections are validated, for three', {
    options: { validateAfterIdleMs: 0 },
    workers: [{}, aborts, {}],
    refusals: 1,
  }),
  ofPool('two keys, and dials that hang', {
    options: { connectTimeoutMs: 200 },
    workers: [{ key: 'a', ...late }, { key: 'b' }],
    heedsAborts: true,
  }),
  ofPool('it is reset while a dial hangs', {
    options: { connectTimeoutMs: 20 },
    workers: [{}, {}],
    resets: 1,
    heedsAborts: true,
  }),
  ofPool('connections are lost, and spoilt', {
    options: { max: 2 },
    workers: [{}, { spoils: true }],
    losses: 2,
    closesSlowly: true,
  }),
  ofPool('it is reset, with room for two', {
    options: { max: 2 },
    workers: [{}, {}],
    resets: 1,
    closesSlowly: true,
  }),
  ofPool('two share a connection, which is lost', {
    options: { max: 2, leasesPerConnection: 2 },
    workers: [{}, {}, {}],
    losses: 1,
  }),
  ofPool('it closes, with room for two', {
    options: { max: 2 },
    workers: [{}, aborts],
    graceMs: Infinity,
    closesSlowly: true,
  }),
  ofPool('it closes by force, with room for two', {
    options: { max: 2 },
    workers: [{}, {}],
    graceMs: 0,
    failures: 1,
  }),
  ofQueue('wait: producers abort and time out', {
    capacity: 1,
    policy: 'wait',
    producers: [{}, aborts, late],
    consumers: [{ max: 2 }, { max: 1 }],
  }),
  ofQueue('wait: consumers abort, room for two', {
    capacity: 2,
    policy: 'wait',
    producers: [{}, {}, aborts],
    consumers: [{ max: 2, ...aborts }],
    closes: true,
  }),
  ofFlights('callers abort and time out, a call fails', {
    callers: [{ key: 'a' }, { key: 'a', ...aborts }, { key: 'a', ...late }],
    failures: 1,
  }),
  ofFlights('all leave, on two keys', {
    callers: [{ key: 'a', ...aborts }, { key: 'a', ...aborts }, { key: 'b' }],
  }),
  ofLeases('answers are long on their way', {
    workers: [here],
    answersLate: true,
    momentsMs: [140, 410],
    haste: 4,
  }),
  ofLeases('three in two processes, one may abort', { workers: [here, here, { ...there, ...aborts }] }),
  ofLeases('one times out', { workers: [here, { ...there, patienceMs: 20 }], haste: 1 }),
  ofLeases('answers come late, or are lost', { workers: [here, there], losses: 1, haste: 1 }),
  ofLeases('a session ends, perhaps before the answer arrives', {
    workers: [here, there],
    ends: 1,
    answersLate: true,
  }),
];

/** A few microtasks more than any hand-over takes. */
export const hurries: readonly Hurry[] = [0, 1, 2, 3, 4].map((gap) => ({ gap, times: 1 }));
