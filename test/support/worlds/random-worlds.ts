/** Every primitive in larger worlds: users and moves are random, and shrink on a failure. */
import fc from 'fast-check';
import type * as everything from '../everything.js';
import { type Gap, type World, walk } from '../explore.js';
import { inFakeTime } from '../fake-time.js';
import { type FlightPlan, FlightWorld } from './flights.js';
import { type LeasePlan, LeaseWorld } from './leases.js';
import {
  adaptiveSemaphore,
  controlledSemaphore,
  instantPool,
  keyedMutex,
  type LockSubject,
  mutex,
  semaphore,
  sharedSemaphore,
  type Wants,
} from './lock-subjects.js';
import { type LockPlan, LockWorld } from './locks.js';
import type { Manners } from './party.js';
import { type PoolPlan, PoolWorld } from './pool.js';
import { type QueuePlan, QueueWorld } from './queue.js';

/** Which of the moves comes next (modulo their number), and how many microtasks pass after it. */
interface Step {
  readonly nth: number;
  readonly gap: Gap;
}

export interface RandomWorld {
  readonly primitive: string;
  /** Rejects with the seed, the path and the smallest world and schedule that go wrong. */
  check(from: typeof everything, parameters?: { seed?: number; endOnFailure?: boolean }): Promise<void>;
}

function random<Plan>(
  primitive: string,
  plans: fc.Arbitrary<Plan>,
  make: (from: typeof everything, plan: Plan) => World,
  { gaps = anyGap, examples = [] }: { gaps?: fc.Arbitrary<Gap>; examples?: [Plan, Step[]][] } = {},
): RandomWorld {
  // Without a size, fast-check makes ten steps of it: too few for a queue to form.
  const schedules = fc.array(fc.record({ nth: fc.nat(30), gap: gaps }), { maxLength: 80, size: 'max' });
  const property = (from: typeof everything) =>
    fc.asyncProperty(plans, schedules, async (plan, steps) => {
      const rest = steps.values();
      const choose = (moves: number): Step => {
        const { nth, gap } = rest.next().value ?? { nth: 0, gap: 'drained' };
        return { nth: nth % moves, gap };
      };
      const wrong = await inFakeTime(() => walk(make(from, plan), choose));
      if (wrong !== undefined) throw new Error(wrong);
    });
  return {
    primitive,
    check: (from, parameters) => fc.assert(property(from), { numRuns: 200, examples, ...parameters }),
  };
}

const anyGap = fc.constantFrom<Gap>('drained', 'drained', 'drained', 0, 1, 2, 3, 5);
const noGap = fc.constant<Gap>('drained');

const manners: fc.Arbitrary<Manners> = fc.constantFrom<Manners>(
  {},
  {},
  { mayAbort: true },
  { patienceMs: 10 },
  { patienceMs: 20, mayAbort: true },
);
const mannered = <T>(extra: fc.Arbitrary<T>) =>
  fc.tuple(manners, extra).map(([some, more]) => ({ ...some, ...more }));
const crowd = <T>(extra: fc.Arbitrary<T>, maxLength = 12) =>
  fc.array(mannered(extra), { minLength: 1, maxLength, size: 'max' });
const few = fc.nat(2);

function lock(subject: LockSubject, wants: fc.Arbitrary<Wants>, gaps = anyGap): RandomWorld {
  const plans: fc.Arbitrary<LockPlan> = fc.record({
    workers: crowd(fc.record({ wants })),
    // The last one has room for all users.
    limits: fc
      .array(fc.integer({ min: subject === semaphore ? 0 : 1, max: 5 }), { maxLength: 4 })
      .map((limits) => [...limits, 6]),
    closes: fc.boolean(),
    pauses: fc.nat(4),
  });
  return random(subject.name, plans, (from, plan) => new LockWorld(subject, from, plan), { gaps });
}

const pools: fc.Arbitrary<PoolPlan> = fc.record({
  options: fc.record({
    max: fc.integer({ min: 1, max: 3 }),
    leasesPerConnection: fc.constantFrom(1, 1, 2, Infinity),
    maxConnecting: fc.constantFrom(1, 10),
    validateAfterIdleMs: fc.constantFrom(0, 1_000),
    connectTimeoutMs: fc.constantFrom(15, 250, Infinity),
    validateTimeoutMs: fc.constantFrom(15, Infinity),
  }),
  workers: crowd(fc.record({ key: fc.constantFrom('a', 'a', 'b', 'c'), spoils: fc.boolean() })),
  failures: few,
  refusals: fc.option(few, { nil: undefined }),
  losses: few,
  deaths: few,
  resets: few,
  graceMs: fc.constantFrom(undefined, 0, 100, Infinity),
  closesSlowly: fc.boolean(),
  heedsAborts: fc.constant(true),
}) as fc.Arbitrary<PoolPlan>;

const queues: fc.Arbitrary<QueuePlan> = fc.record({
  capacity: fc.integer({ min: 1, max: 3 }),
  policy: fc.constantFrom('wait', 'wait', 'reject', 'drop-oldest', 'drop-newest'),
  producers: crowd(fc.constant({})),
  consumers: crowd(fc.record({ max: fc.integer({ min: 1, max: 3 }) })),
  closes: fc.boolean(),
});

const flights: fc.Arbitrary<FlightPlan> = fc.record({
  callers: crowd(fc.record({ key: fc.constantFrom('a', 'a', 'b') })),
  failures: few,
});

const leases: fc.Arbitrary<LeasePlan> = fc.record({
  workers: crowd(fc.record({ process: fc.nat(1) }), 5),
  losses: few,
  ends: few,
  haste: fc.nat(6),
  wakes: fc.boolean(),
  answersLate: fc.boolean(),
});

export const randomWorlds: readonly RandomWorld[] = [
  lock(mutex, fc.constant(['it'])),
  lock(keyedMutex, fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 })),
  ...[semaphore, controlledSemaphore, sharedSemaphore].map((subject) =>
    lock(
      subject,
      fc.integer({ min: 1, max: 3 }).map((weight) => [weight]),
    ),
  ),
  lock(adaptiveSemaphore(2), fc.constant([1])),
  // While a dial is under way, a pool does not behave as a semaphore.
  { ...lock(instantPool, fc.constant([1]), noGap), primitive: 'ConnectionPool that dials in no time' },
  random('ConnectionPool', pools, (from, plan) => new PoolWorld(from, plan)),
  random('BoundedQueue', queues, (from, plan) => new QueueWorld(from, plan)),
  random('SingleFlight', flights, (from, plan) => new FlightWorld(from, plan)),
  random('LeaseKeeper', leases, (from, plan) => new LeaseWorld(from, plan), {
    examples: [
      // A session ended before there was a lease: its holder learned of it only with the next renewal.
      [
        { workers: [{ process: 0 }], ends: 1, answersLate: true },
        [0, 0, 1].map((nth) => ({ nth, gap: 'drained' })),
      ],
    ],
  }),
];
