/**
 * In front of a real HTTP server in another process. A test waits until the limit is where it should be, however long that takes
 * on a busy machine; how fast it gets there is what `npm run bench -- adaptive-http` measures.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { AdaptiveSemaphore, ElasticLimit } from 'latchkey';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import { httpCaller } from '../../bench/suites/limit/real/http-backend.js';
import type { BackendSize } from '../../bench/suites/limit/real/http-backend.process.js';

const source = fileURLToPath(
  new URL('../../bench/suites/limit/real/http-backend.process.ts', import.meta.url),
);
const program = fileURLToPath(
  new URL('../../node_modules/.cache/latchkey/http-backend.mjs', import.meta.url),
);
let server: ChildProcess;
let call: () => Promise<IncomingMessage>;

beforeAll(async () => {
  buildSync({ entryPoints: [source], outfile: program, platform: 'node', format: 'esm' });
  server = fork(program, { execArgv: [] });
  const [port] = (await once(server, 'message')) as [number];
  call = httpCaller(port);
});

afterAll(() => {
  server.disconnect();
});

let running: Promise<unknown>[] = [];
let isOver = false;
afterEach(async () => {
  isOver = true;
  await Promise.all(running);
  isOver = false;
});

/** Callers that call again when they have their answer, until the test is over. */
function callers(count: number, initial: number): AdaptiveSemaphore {
  const semaphore = new AdaptiveSemaphore({ algorithm: new ElasticLimit({ initial }) });
  const caller = async () => {
    while (!isOver) await semaphore.run(call);
  };
  running = Array.from({ length: count }, caller);
  return semaphore;
}

/** Calls until the limit is right. */
async function untilLimit(semaphore: AdaptiveSemaphore, isRight: (limit: number) => boolean): Promise<void> {
  while (!isRight(semaphore.limit)) await semaphore.run(call);
}

const resize = (size: BackendSize) => void server.send(size);

test('adaptive semaphore: a limit that is too low for the backend rises', async () => {
  resize({ workers: 20, queueMax: 100 });
  await untilLimit(callers(40, 2), (limit) => limit >= 6);
}, 120_000);

test('adaptive semaphore: a limit above what the backend accepts falls below it', async () => {
  resize({ workers: 5, queueMax: 15 });
  await untilLimit(callers(60, 60), (limit) => limit <= 20);
}, 120_000);

test('adaptive semaphore: the limit follows a backend that shrinks', async () => {
  resize({ workers: 20, queueMax: 20 });
  const semaphore = callers(60, 30);
  for (let calls = 0; calls < 100; calls++) await semaphore.run(call);
  resize({ workers: 5, queueMax: 5 });
  await untilLimit(semaphore, (limit) => limit <= 10);
}, 120_000);
