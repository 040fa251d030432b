/** An HTTP server whose backend takes ten requests at a time, 20 ms each; how requests wait for it is the first argument. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Semaphore, type SemaphoreOptions, type WaitOptions } from 'latchkey';
import { controlledDelay } from 'latchkey/overload';
import { type AdmissionOptions, admission, admitted } from '../../../../docs/recipes/admission.js';
import { requestSignal } from '../../../../docs/recipes/request-signal.js';
import { taskMs, type Way, workers } from './ways.js';

type Serve = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;

const work = async (response: ServerResponse) => {
  await sleep(taskMs);
  response.end('done');
};

function semaphore(
  options: SemaphoreOptions,
  wait: (request: IncomingMessage, response: ServerResponse) => WaitOptions = () => ({}),
): Serve {
  const backend = new Semaphore(workers, options);
  return (request, response) => backend.run(() => work(response), wait(request, response));
}

/** The recipe does not know how many the backend takes. */
function recipe(options?: AdmissionOptions): Serve {
  const backend = new Semaphore(workers);
  const admit = admission(options);
  return async (request, response) => {
    if (await admitted(admit, 'all', request, response)) await backend.run(() => work(response));
  };
}

const leaving = (request: IncomingMessage, response: ServerResponse) => ({
  signal: requestSignal(request, response),
});

const ways: Record<Way, () => Serve> = {
  fifo: () => semaphore({}),
  leaving: () => semaphore({}, leaving),
  timeout500: () => semaphore({ waitTimeoutMs: 500 }),
  timeout250: () => semaphore({ waitTimeoutMs: 250 }),
  maxWaiting1000: () => semaphore({ maxWaiting: 1_000 }),
  delayed: () => semaphore({ order: controlledDelay() }, leaving),
  delayed450: () => semaphore({ order: controlledDelay({ targetMs: 450 }) }, leaving),
  recipe,
  recipe450: () => recipe({ targetMs: 450 }),
};

const serve = ways[process.argv[2] as Way]();
const server = createServer((request, response) => {
  serve(request, response).catch(() => {
    if (!response.headersSent) response.writeHead(503).end();
  });
});
process.on('disconnect', () => process.exit());
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
