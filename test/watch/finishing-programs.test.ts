/**
 * Random programs that finish by construction: each takes its locks in one order, and what it takes by hand is released from
 * elsewhere. They use every primitive, the event loop and each other's permits, so an alarm would be a false one.
 */
import {
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  gatherSettled,
  KeyedMutex,
  Mutex,
  Semaphore,
} from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { controlledDelay, fairShare } from 'latchkey/overload';
import { RemoteMutex } from 'latchkey/remote-locks';
import { SingleFlight } from 'latchkey/single-flight';
import { watch } from 'latchkey/watch';
import { expect, test } from 'vitest';
import { MemoryEngine } from '../remote-locks/support/memory-engine.js';
import { SeededRandom } from '../support/seeded-random.js';

type Step = () => Promise<unknown>;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Locks in the order in which a program may nest them, each with the ways to run a step under it. */
function ranksOf(random: SeededRandom): ((step: Step) => Promise<unknown>)[] {
  const pool = new ConnectionPool<object, string>(
    { connect: async (_key: string) => ({}), close() {} },
    { max: 2, maxPerKey: 1, waitTimeoutMs: Infinity },
  );
  const remote = new RemoteMutex(new MemoryEngine());
  const flights = new SingleFlight<string, unknown>();
  const keys = new KeyedMutex<string>();
  const [first, second] = [new Mutex(), new Mutex()];
  const semaphore = new Semaphore(2);
  const fair = new Semaphore(2, { order: fairShare() });
  const fresh = new Semaphore(2, { order: controlledDelay({ targetMs: 600_000, intervalMs: 600_000 }) });
  const adaptive = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 2, max: 2 }) });
  const queue = new BoundedQueue<number>({ capacity: 1 });
  const letter = () => random.pick(['a', 'b', 'c']);
  // Released by the event loop, whatever the program waits for: its own second call, for instance.
  const byHand = async (acquire: () => Promise<{ release(): unknown }>) => {
    const permit = await acquire();
    setImmediate(() => permit.release());
  };
  return [
    (step) => flights.run(letter(), step),
    (step) => pool.use(letter(), step),
    (step) => remote.run(letter(), step),
    (step) => keys.runAll([letter(), letter()], step),
    async (step) => {
      await byHand(() => first.acquire());
      await first.run(step);
    },
    (step) => semaphore.run(step, { weight: 1 + random.below(2) }),
    (step) => fair.run(step, { weight: 1 + random.below(2), partition: letter() }),
    (step) => fresh.run(step),
    async (step) => {
      await byHand(() => adaptive.acquire());
      await adaptive.run(step);
    },
    (step) => second.run(step),
    async (step) => {
      const consume = async () => (await queue.take()).done();
      await Promise.all([queue.offer(1), consume(), queue.offer(2), consume()]);
      await step();
    },
  ];
}

/** Locks of ranks above `above` only, or smaller steps one after the other, at once, or started and left. */
function randomStep(
  random: SeededRandom,
  ranks: readonly ((step: Step) => Promise<unknown>)[],
  above: number,
  depth: number,
  left: Promise<unknown>[],
): Step {
  const smaller = (rank = above) => randomStep(random, ranks, rank, depth - 1, left);
  const kind = depth === 0 ? 0 : random.below(7);
  if (kind === 0) {
    const [hops, turns] = [random.below(6), random.below(2)];
    return async () => {
      for (let i = 0; i < hops; i++) await undefined;
      for (let i = 0; i < turns; i++) await turn();
    };
  }
  if (kind === 1) {
    const steps = [smaller(), smaller()];
    return () => gatherSettled(steps, (step) => step(), { concurrency: 2 });
  }
  if (kind === 2) {
    const [one, other] = [smaller(), smaller()];
    return async () => {
      left.push(one());
      await other();
    };
  }
  const rank = above + 1 + random.below(3);
  const under = ranks[rank];
  if (under === undefined) return smaller();
  const inner = smaller(rank);
  return () => under(inner);
}

/** Starts a random program; the promise resolves when all of it has ended, also what its tasks left behind. */
async function program(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const ranks = ranksOf(random);
  const left: Promise<unknown>[] = [];
  const tasks = Array.from({ length: 2 + random.below(3) }, () => randomStep(random, ranks, -1, 4, left));
  await Promise.all(tasks.map((task) => task()));
  // It grows while it is awaited.
  for (const promise of left) await promise;
}

test('WA1: 10,000 random programs that finish raise no alarm', { timeout: 400_000 }, async () => {
  const alarms: string[] = [];
  using watcher = watch({
    deadlocks: 'reject',
    order: false,
    onReport: (report) => alarms.push(String(report)),
  });
  let waits = 0;
  for (let seed = 0; seed < 10_000; seed += 100) {
    const programs = Array.from({ length: 100 }, (_, i) => program(seed + i));
    waits += watcher.snapshot().waiting.length;
    await Promise.all(programs);
    expect(alarms, `of the seeds from ${seed}`).toEqual([]);
  }
  // A program without waits proves nothing.
  expect(waits).toBeGreaterThan(10_000);
});
