/** A backend with a number of workers and a bounded queue. It answers 503 at once when the queue is full. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Of the calls beyond `workers`, `queueMax` wait; the others are refused. */
export interface BackendSize {
  workers: number;
  queueMax: number;
}

const meanServiceMs = 20;

let workers = 20;
let queueMax = 100;
let busy = 0;
const queue: ServerResponse[] = [];

const server = createServer((_request, response) => {
  if (busy < workers) serve(response);
  else if (queue.length < queueMax) queue.push(response);
  else response.writeHead(503).end();
});

function serve(response: ServerResponse): void {
  busy++;
  setTimeout(
    () => {
      busy--;
      response.end('done');
      serveQueue();
    },
    -meanServiceMs * Math.log(1 - Math.random()),
  );
}

function serveQueue(): void {
  while (busy < workers && queue.length > 0) serve(queue.shift()!);
}

process.on('message', (size: BackendSize) => {
  ({ workers, queueMax } = size);
  serveQueue();
});
process.on('disconnect', () => process.exit());
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
