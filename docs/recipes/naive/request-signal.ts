import type { IncomingMessage } from 'node:http';

/** "When the connection closes, the client has left." But a connection outlives its requests. */
export function requestSignal(request: IncomingMessage): AbortSignal {
  const controller = new AbortController();
  request.socket.on('close', () => controller.abort());
  return controller.signal;
}
