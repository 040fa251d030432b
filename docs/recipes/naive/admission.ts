import type { RequestListener, ServerResponse } from 'node:http';
import { Semaphore } from 'latchkey';

/** "The backend takes ten at a time, and nobody waits longer than our clients do." */
export function limited(serve: (response: ServerResponse) => Promise<void>): RequestListener {
  const backend = new Semaphore(10, { waitTimeoutMs: 500 });
  return (_request, response) => {
    backend.run(() => serve(response)).catch(() => response.writeHead(503).end());
  };
}
