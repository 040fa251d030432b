/** A short run of `npm run test:endurance`: it finds leaks of every call, not of one in a hundred. */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Endured } from '../endurance/endure.js';
import { kinds } from '../endurance/kinds.js';
import { planted } from '../endurance/planted.js';
import { printed } from '../support/program.js';

const seed = (Math.random() * 2 ** 32) >>> 0;
/** With few operations the heap's own noise is some bytes for each of them. */
const noiseBytes = 50;

const kindsPerProcess = 6;

const outfile = path.join(tmpdir(), `latchkey-endurance-${process.pid}.mjs`);
afterAll(() => rm(outfile, { force: true }));

describe(`endurance, seed ${seed}`, () => {
  const endured: Endured[] = [];

  // Processes of their own: the heap of a test runner is too large to be collected so often, and too noisy.
  beforeAll(async () => {
    for (let first = 0; first < kinds.length + planted.length; first += kindsPerProcess) {
      const program = `
        import { endure } from './test/endurance/endure.ts';
        import { kinds } from './test/endurance/kinds.ts';
        import { planted } from './test/endurance/planted.ts';
        const options = { operations: 3_000, callers: 100, samples: 5, seed: ${seed} };
        const endured = [];
        for (const kind of [...kinds, ...planted].slice(${first}, ${first + kindsPerProcess})) {
          let result = await endure(kind, options);
          // The heap's own noise does not grow with the operations; leaks do.
          const isNoisy = result.bytesPerOperation > ${noiseBytes} && kinds.includes(kind);
          if (isNoisy) result = await endure(kind, { ...options, operations: 20_000 });
          endured.push(result);
        }
        console.log(JSON.stringify(endured));`;
      endured.push(...JSON.parse(await printed(program, outfile)));
    }
  }, 600_000);

  const of = (kind: string) => endured.find(({ name }) => name === kind) as Endured;
  const leftovers = ({ left }: Endured) =>
    Object.fromEntries(Object.entries(left).filter(([, count]) => count > 0));

  test.each(kinds)('$name: calls, faults and aborts leave nothing behind', ({ name }) => {
    expect(leftovers(of(name))).toEqual({});
    expect(of(name).bytesPerOperation).toBeLessThan(noiseBytes);
  });

  test('an object, a listener and a timer that are left behind on purpose are found', () => {
    expect(planted.map(({ name }) => leftovers(of(name)))).toEqual([
      {},
      { listeners: expect.any(Number) },
      { timers: expect.any(Number) },
    ]);
    expect(of('an object').bytesPerOperation).toBeGreaterThan(noiseBytes);
  });
});

test('a process in which everything is idle ends by itself', async () => {
  const program = `
    import {
      AdaptiveSemaphore, ConnectionPool, gatherSettled, KeyedMutex, Mutex, RetryBudget, retry, Semaphore,
    } from 'latchkey';
    import { BoundedQueue } from 'latchkey/bounded-queue';
    import { monitorEventLoop, yieldEvery } from 'latchkey/event-loop';
    import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
    import { SingleFlight } from 'latchkey/single-flight';

    const work = async () => {};
    const signal = new AbortController().signal;
    const options = { signal, waitTimeoutMs: 60_000 };
    const used = [new Mutex(), new Semaphore(2), new AdaptiveSemaphore()];
    for (const lock of used) await Promise.all([lock.run(work, options), lock.run(work, options)]);
    const keyed = new KeyedMutex();
    await Promise.all([keyed.run('a', work, options), keyed.runAll(['a', 'b'], work, options)]);
    const pool = new ConnectionPool({ connect: () => ({}), close() {} }, { max: 1, leakWarnAfterMs: 60_000 });
    await Promise.all([pool.use(work, options), pool.use(work, options)]);
    await retry(work, { signal, attemptTimeoutMs: 60_000, totalTimeoutMs: 60_000, budget: new RetryBudget() });
    await gatherSettled([1, 2, 3], work, { signal, limiter: used[1] });
    const flights = new SingleFlight();
    await Promise.all([flights.run('a', work, options), flights.run('a', work, options)]);
    const queue = new BoundedQueue({ capacity: 1, policy: 'drop-newest', onOverflow() {} });
    await Promise.all([queue.offer(1), queue.offer(2)]);
    new RedisMutex(async () => {});
    new RedisSemaphore(async () => {}, 1, { name: 'idle' });
    monitorEventLoop({ onBlock() {} });
    yieldEvery(10);
    const doneMs = Date.now();
    process.on('exit', () => console.log(Date.now() - doneMs, process.getActiveResourcesInfo().includes('Timeout')));
    globalThis.kept = [used, keyed, pool, flights, queue];`;
  const [lingeredMs, timers] = (await printed(program, outfile)).trim().split(' ');
  expect(Number(lingeredMs)).toBeLessThan(1_000);
  expect(timers).toBe('false');
});
