/** An HTTP server whose handler runs inside of more or fewer primitives: the path says which. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import AsyncLock from 'async-lock';
import { Mutex as AsyncMutex } from 'async-mutex';
import { createPool } from 'generic-pool';
import { ConnectionPool, KeyedMutex, Mutex, retry, Semaphore } from 'latchkey';
import pLimit from 'p-limit';
import pRetry from 'p-retry';

type Handler = (handle: () => Promise<string>) => PromiseLike<string>;

const connector = { connect: async () => ({}), close: async () => {} };
const limit = 1_000;
const connections = 100;

const [semaphore, mutex, users] = [new Semaphore(limit), new Mutex(), new KeyedMutex<number>()];
const pool = new ConnectionPool(connector, { max: connections });
const limited = pLimit(limit);
const [asyncMutex, asyncLock] = [new AsyncMutex(), new AsyncLock()];
const genericPool = createPool({ create: connector.connect, destroy: connector.close }, { max: connections });
const attemptTimeoutMs = 10_000;
let requests = 0;

const handlers: Readonly<Record<string, Handler>> = {
  '/nothing': (handle) => handle(),
  '/latchkey/1': (handle) => semaphore.run(handle),
  '/latchkey/3': (handle) => semaphore.run(() => mutex.run(() => pool.use(() => handle()))),
  '/latchkey/5': (handle) =>
    semaphore.run(() =>
      users.run(requests++ % 100, () =>
        retry(() => pool.use(() => mutex.run(handle)), { attempts: 3, attemptTimeoutMs }),
      ),
    ),
  '/others/1': (handle) => limited(handle),
  '/others/3': (handle) => limited(() => asyncMutex.runExclusive(() => genericPool.use(() => handle()))),
  '/others/5': (handle) =>
    limited(() =>
      asyncLock.acquire(String(requests++ % 100), () =>
        pRetry(() => genericPool.use(() => asyncMutex.runExclusive(handle)), {
          retries: 2,
          signal: AbortSignal.timeout(attemptTimeoutMs),
        }),
      ),
    ),
};

const server = createServer(async (request, response) => {
  response.end(await handlers[request.url!]!(async () => 'ok'));
});
server.keepAliveTimeout = 60_000;
process.on('message', () => process.send!(process.cpuUsage()));
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
