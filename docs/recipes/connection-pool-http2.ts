/**
 * "With each restart of the server a hundred requests fail, because their session got a GOAWAY. And once the network went
 * silent, and each request waited on a dead session for 15 minutes."
 *
 * HTTP/2 with `node:http2`: up to a hundred requests share a session, and never more than the SETTINGS of the server allow. No
 * request fails because of a GOAWAY, and a ping finds sessions that have gone silent, also while they are in use. HTTP/1.1 needs no pool of ours: `fetch`, undici and `http.Agent` keep connections
 * alive by themselves; bound their requests with a `Semaphore`.
 */
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { text } from 'node:stream/consumers';
import { ConnectionPool, type ConnectionPoolOptions } from 'latchkey';

/** One pool for any number of origins. */
export type Http2Pool = ConnectionPool<ClientHttp2Session, string>;

/** The key is a URL; its origin counts. A session that was not used for a second is pinged before its next lease. */
export function http2Pool(options?: ConnectionPoolOptions): Http2Pool {
  return new ConnectionPool<ClientHttp2Session, string>(
    {
      async connect(origin, { signal, lost, drain, capacity }) {
        const session = connect(origin);
        signal.addEventListener('abort', () => session.destroy(signal.reason), { once: true });
        session.on('error', lost).once('close', lost).once('goaway', drain);
        // The server says how many streams it serves at once, and may say so again at any time.
        session.on('remoteSettings', ({ maxConcurrentStreams = Infinity }) => capacity(maxConcurrentStreams));
        // The first frame of the server. A TCP connection alone does not prove that it answers.
        await once(session, 'remoteSettings');
        return session;
      },
      // By now no lease is left, so no request of ours is cut off.
      async close(session) {
        if (session.destroyed) return;
        session.destroy();
        await once(session, 'close');
      },
      isAlive: (session) => !session.closed && !session.destroyed,
      validate: (session) => new Promise((resolve) => session.ping((error) => resolve(error === null))),
      // One failed request does not break the session that it shares with others.
      isReusable: (session) => !session.closed && !session.destroyed,
      ref: (session) => session.ref(),
      unref: (session) => session.unref(),
      keyId: (origin) => new URL(origin).origin,
    },
    { leasesPerConnection: 100, ...options },
  );
}

/** Example: sends one GET; the lease lasts until the whole body has arrived. Aborts when the session is lost. */
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
