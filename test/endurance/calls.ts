import { monitorEventLoop, yieldEvery } from '../../src/event-loop.js';
import { constant, gatherSettled, RetryBudget, retry, Semaphore } from '../../src/index.js';
import { BoundedQueue, type OverflowPolicy } from '../../src/queue/bounded-queue.js';
import { LeaseKeeper } from '../../src/remote-locks/lease-keeper.js';
import { SingleFlight } from '../../src/single-flight/single-flight.js';
import { type Callers, microtasks, quietly, turns } from './callers.js';
import { FaultyEngine } from './faulty-engine.js';
import type { Kind, Subject } from './kind.js';

const policies: OverflowPolicy[] = ['wait', 'reject', 'drop-oldest', 'drop-newest', 'sample'];

export const calls: readonly Kind[] = [
  {
    name: 'retry',
    make(callers) {
      const { random } = callers;
      const budget = new RetryBudget({ minPerSecond: 1e9 });
      const use = () =>
        retry(({ signal }) => (random.chance(0.02) ? never(signal) : callers.task()), {
          attempts: 1 + random.below(3),
          backoff: constant(random.below(2)),
          budget,
          signal: random.chance(0.5) ? callers.signal() : undefined,
          attemptTimeoutMs: 2,
          totalTimeoutMs: random.chance(0.5) ? 4 : undefined,
          shouldRetry: random.chance(0.3) ? async () => random.chance(0.9) : undefined,
          onRetry: random.chance(0.05) ? failingHook : undefined,
        });
      return { call: () => quietly(use()), left: () => ({}) };
    },
  },
  {
    name: 'gatherSettled',
    make(callers) {
      const { random } = callers;
      const limiter = new Semaphore(20);
      const use = () =>
        gatherSettled(source(random.below(4), random.below(5)), callers.task, {
          concurrency: random.chance(0.5) ? 1 + random.below(3) : undefined,
          limiter: random.chance(0.3) ? limiter : undefined,
          signal: random.chance(0.4) ? callers.signal() : undefined,
          stopWhen: random.chance(0.2) ? ({ failed }) => failed > 0 : undefined,
          onProgress: random.chance(0.02) ? failingHook : undefined,
        });
      return {
        call: () => quietly(use()),
        left: () => ({ held: limiter.held, waiting: limiter.waiting }),
      };
    },
  },
  {
    name: 'SingleFlight',
    make(callers) {
      const { random } = callers;
      const flights = new SingleFlight<unknown, unknown>();
      const use = async () => {
        const key = random.chance(0.8) ? random.below(50) : {};
        return flights.run(key, callers.task, callers.options());
      };
      return { call: () => quietly(use()), left: () => ({ keys: flights.size }) };
    },
  },
  ...policies.map((policy) => ({
    name: `BoundedQueue, ${policy}`,
    make(callers: Callers): Subject {
      const { random } = callers;
      const queue = new BoundedQueue<object>({
        capacity: 20,
        policy,
        onDrop: random.chance(0.5) ? failingHook : undefined,
        onOverflow: () => {},
        overflowIntervalMs: 1,
      });
      // No consumer may wait for ever: items that were dropped would never come.
      const options = () => ({ waitTimeoutMs: random.below(3), ...callers.options() });
      const consume = async () => {
        const batch = await queue.take(1 + random.below(3), { ...options(), waitTimeoutMs: random.below(3) });
        await microtasks(random.below(3));
        batch.done();
      };
      const use = () => {
        if (random.chance(0.002)) return wholeLifeOfAQueue(policy);
        return random.chance(0.5) ? queue.offer({}, options()) : consume();
      };
      const drain = async () => {
        queue.close();
        for (let batch = await queue.take(100); batch.items.length > 0; batch = await queue.take(100))
          batch.done();
      };
      return {
        call: () => quietly(use()),
        end: drain,
        left: () => ({ items: queue.size, inFlight: queue.inFlight, waiting: queue.waiting }),
      };
    },
  })),
  {
    name: 'LeaseKeeper',
    make(callers) {
      const { random } = callers;
      const engine = new FaultyEngine(random);
      const keeper = new LeaseKeeper<string>({}, engine, String, { ttlMs: 100 });
      const use = async () => {
        const key = `key ${random.below(200)}`;
        if (random.chance(0.5)) return keeper.run(key, callers.task, callers.options());
        const lease = await keeper.acquire(key, callers.options());
        if (random.chance(0.2)) lease.signal.throwIfAborted();
        await lease.release();
      };
      return {
        call: () => quietly(use()),
        end: () => keeper.releaseAll(),
        left: () => ({ held: engine.held }),
      };
    },
  },
  {
    name: 'monitorEventLoop, yieldEvery',
    make() {
      const giveWay = yieldEvery(1);
      const use = async () => {
        using monitor = monitorEventLoop({ thresholdMs: 4, onBlock: failingHook });
        await giveWay();
        return monitor.stats();
      };
      return { call: () => quietly(use()), left: () => ({}) };
    },
  },
];

function failingHook(): void {
  throw new Error('a hook that throws');
}

function never(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

function source(kind: number, count: number): Iterable<unknown> | AsyncIterable<unknown> {
  const items = Array.from({ length: count }, (_, index) => index);
  if (kind === 0) return items;
  if (kind === 1) return new Set(items);
  if (kind === 2) {
    return (function* () {
      yield* items;
      throw new Error('a source that throws');
    })();
  }
  return (async function* () {
    for (const item of items) {
      await microtasks(1);
      yield item;
    }
  })();
}

async function wholeLifeOfAQueue(policy: OverflowPolicy): Promise<void> {
  const queue = new BoundedQueue<number>({ capacity: 2, policy, onOverflow: () => {} });
  const offers = [1, 2, 3].map((item) => quietly(queue.offer(item)));
  const consumer = (async () => {
    for await (const item of queue) if (item === 3) break;
  })();
  await turns(1);
  queue.close();
  await Promise.all([...offers, consumer]);
}
