/**
 * "With each restart of the server a hundred requests fail: their session said GOAWAY."
 *
 * HTTP/2 with `node:http2`: a hundred requests share one session per origin, and a server that says GOAWAY loses
 * none of them. HTTP/1.1 needs no pool of ours: `fetch`, undici and `http.Agent` keep connections alive by
 * themselves; bound their requests with a `Semaphore`.
 */
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { text } from 'node:stream/consumers';
import { ConnectionPool, type ConnectionPoolOptions } from 'latchkey';

export type Http2Pool = ConnectionPool<ClientHttp2Session, string>;

export function http2Pool(options?: ConnectionPoolOptions): Http2Pool {
  return new ConnectionPool<ClientHttp2Session, string>(
    {
      async connect(origin, { signal, lost, drain }) {
        const session = connect(origin);
        signal.addEventListener('abort', () => session.destroy(signal.reason), { once: true });
        session.on('error', lost).once('close', lost).once('goaway', drain);
        await once(session, 'connect');
        return session;
      },
      async close(session) {
        if (session.destroyed) return;
        session.close();
        await once(session, 'close');
      },
      isAlive: (session) => !session.closed,
      // The session is shared: one failed request is no reason to part from it.
      isReusable: (session) => !session.closed,
      ref: (session) => session.ref(),
      unref: (session) => session.unref(),
      keyId: (origin) => new URL(origin).origin,
    },
    { leasesPerConnection: 100, ...options },
  );
}

/** Example: one GET; the lease lasts until the whole body is there. */
export function get(
  pool: Http2Pool,
  url: URL,
  signal?: AbortSignal,
): Promise<{ headers: IncomingHttpHeaders; body: string }> {
  return pool.use(
    url.origin,
    async (session) => {
      const request = session.request({ ':path': url.pathname + url.search }, signal && { signal });
      const [headers] = (await once(request, 'response')) as [IncomingHttpHeaders];
      return { headers, body: await text(request) };
    },
    { signal },
  );
}
