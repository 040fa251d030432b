/** In front of a real HTTP server in another process, in real time; with margins that do not need a quiet machine. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { AdaptiveSemaphore, ElasticLimit, type LimitAlgorithm } from 'latchkey';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpCaller } from '../../bench/suites/limit/real/http-backend.js';
import { figuresOf, type Notes, openLoad } from '../../bench/suites/limit/real/load.js';

const source = fileURLToPath(
  new URL('../../bench/suites/limit/real/http-backend.process.ts', import.meta.url),
);
const program = fileURLToPath(
  new URL('../../node_modules/.cache/latchkey/http-backend.mjs', import.meta.url),
);
let server: ChildProcess;
let port = 0;

beforeAll(async () => {
  buildSync({ entryPoints: [source], outfile: program, platform: 'node', format: 'esm' });
  server = fork(program, { execArgv: [] });
  [port] = (await once(server, 'message')) as [number];
});

afterAll(() => {
  server.disconnect();
});

/** 700 calls a second to 10 workers of 20 ms: 1.4 times what they can do. */
function load(algorithm: LimitAlgorithm, forMs: number): Promise<Notes> {
  const semaphore = new AdaptiveSemaphore({ algorithm });
  return openLoad({ semaphore, call: httpCaller(port), waitTimeoutMs: 250 }, 700, forMs);
}

const lastSeconds = (notes: Notes, seconds: number) => {
  const endMs = notes.limits.at(-1)!.atMs;
  return figuresOf(notes, endMs - seconds * 1_000, endMs);
};

test('adaptive semaphore: beats a low fixed limit in goodput and a high one in time and refusals', async () => {
  server.send(10);
  const low = lastSeconds(await load({ limit: 3, onSample() {} }, 1_000), 0.7);
  const high = lastSeconds(await load({ limit: 200, onSample() {} }, 2_000), 1);
  const elastic = lastSeconds(await load(new ElasticLimit(), 3_500), 1.5);
  expect(elastic.goodput).toBeGreaterThan(2 * low.goodput);
  expect(elastic.p50Ms).toBeLessThan(high.p50Ms / 2);
  expect(high.refused).toBeGreaterThan(50);
  expect(elastic.refused).toBeLessThan(high.refused / 4);
});

test('adaptive semaphore: a backend that loses three quarters of its workers is called by fewer', async () => {
  server.send(20);
  const notes = load(new ElasticLimit(), 6_500);
  setTimeout(() => server.send(5), 2_500);
  const { limits } = await notes;
  const mean = (from: number, until: number) => {
    const startedMs = limits[0]!.atMs;
    const some = limits.filter(({ atMs }) => atMs >= startedMs + from && atMs < startedMs + until);
    return some.reduce((sum, { limit }) => sum + limit, 0) / some.length;
  };
  expect(mean(5_000, 6_500)).toBeLessThan(0.7 * mean(1_000, 2_500));
});
