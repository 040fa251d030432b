/**
 * "The client has left, and we still run its queries. With a listener per request, Node warns of a memory leak."
 *
 * A signal per request that aborts when its client leaves before the answer is complete. Each connection has one listener,
 * however many requests it carries.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Unanswered {
  readonly response: ServerResponse;
  readonly controller: AbortController;
}

const unansweredBySocket = new WeakMap<Socket, Set<Unanswered>>();

/** Call it once per request, when the request arrives. */
export function requestSignal({ socket }: IncomingMessage, response: ServerResponse): AbortSignal {
  if (socket.destroyed) return AbortSignal.abort();
  const unanswered = unansweredBySocket.get(socket) ?? watch(socket);
  // A kept connection carries one request after another: what is answered goes when the next one comes.
  for (const earlier of unanswered) if (earlier.response.writableFinished) unanswered.delete(earlier);
  const controller = new AbortController();
  unanswered.add({ response, controller });
  return controller.signal;
}

function watch(socket: Socket): Set<Unanswered> {
  const unanswered = new Set<Unanswered>();
  unansweredBySocket.set(socket, unanswered);
  socket.once('close', () => {
    for (const { response, controller } of unanswered) if (!response.writableFinished) controller.abort();
  });
  return unanswered;
}
