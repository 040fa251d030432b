import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { get, http2Pool } from '../../docs/recipes/connection-pool-http2.js';

const patience = { timeout: 10_000 };

describe('a pool on HTTP/2, behind a proxy that can go silent', () => {
  let server: Http2Server;

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url !== '/never') response.end(`answer to ${request.url}`);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });

  afterAll(() => once(server.close(), 'close'));

  it('keeps an idle session that answers the ping', async () => {
    const { url } = await startProxy(server);
    await using pool = http2Pool({ validateAfterIdleMs: 0 });
    for (const path of ['/1', '/2', '/3'])
      expect((await get(pool, url(path))).body).toBe(`answer to ${path}`);
    expect(pool.stats()).toMatchObject({ connected: 1, total: 1 });
  });

  it('replaces an idle session that went silent, and serves the caller who met it', async () => {
    const proxy = await startProxy(server);
    await using pool = http2Pool({ validateAfterIdleMs: 0, validateTimeoutMs: 100 });
    await get(pool, proxy.url('/before'));
    proxy.silence();
    expect((await get(pool, proxy.url('/after'))).body).toBe('answer to /after');
    expect(pool.stats()).toMatchObject({ connected: 2, total: 1, leased: 0, abandoned: 0 });
  });

  it('replaces a busy session that went silent: the ping runs beside the leases', async () => {
    const proxy = await startProxy(server);
    const validateMs = { validateAfterIdleMs: 200, validateTimeoutMs: 200 };
    const failures: unknown[] = [];
    await using pool = http2Pool({
      ...validateMs,
      onEvent: (event) => {
        if (event.type === 'hookError') failures.push(event.hook);
      },
    });
    const held = pool.use(proxy.url('/').origin, (_, lease) => once(lease.signal, 'abort'));
    await get(pool, proxy.url('/before'));
    proxy.silence();
    // Each caller gives up long before TCP does. Its lease ends with an error that isReusable forgives: no proof of life.
    let givenUp = 0;
    const served = await vi.waitUntil(
      () => get(pool, proxy.url('/after'), AbortSignal.timeout(50)).catch(() => void givenUp++),
      { ...patience, interval: 1 },
    );
    expect(served).toMatchObject({ body: 'answer to /after' });
    expect(givenUp).toBeGreaterThan(0);
    expect(failures).toEqual(['validate']);
    // The holder beside the ping learns of the loss.
    await held;
    expect(pool.stats()).toMatchObject({ connected: 2, total: 1, leased: 0 });
  });

  it('gives a session as many requests as the SETTINGS of the server allow, also when they change', async () => {
    const held: (() => void)[] = [];
    let session: ServerHttp2Session | undefined;
    const own = createServer({ settings: { maxConcurrentStreams: 2 } }, (_, response) => {
      held.push(() => void response.end('done'));
    }).on('session', (opened) => {
      session = opened;
    });
    await once(own.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void own.close());
    const url = new URL(`http://127.0.0.1:${(own.address() as AddressInfo).port}/`);
    await using pool = http2Pool({ max: 1 });
    const requests = Array.from({ length: 5 }, () => get(pool, url));
    await vi.waitFor(() => expect(held).toHaveLength(2), patience);
    expect(pool.stats()).toMatchObject({ connected: 1, waiting: 3 });
    session?.settings({ maxConcurrentStreams: 4 });
    await vi.waitFor(() => expect(held).toHaveLength(4), patience);
    expect(pool.stats()).toMatchObject({ connected: 1, waiting: 1 });
    for (let i = 0; i < 5; i++) {
      await vi.waitFor(() => expect(held.length).toBeGreaterThan(i), patience);
      held[i]?.();
    }
    expect((await Promise.all(requests)).map(({ body }) => body)).toEqual(Array(5).fill('done'));
  });

  it('does not take a TCP connection for a session: a silent dial fails with a timeout', async () => {
    const proxy = await startProxy(server);
    proxy.silence('for newcomers too');
    await using pool = http2Pool({ connectTimeoutMs: 100 });
    await expect(get(pool, proxy.url('/'))).rejects.toMatchObject({
      code: 'ERR_CONNECT',
      cause: { name: 'TimeoutError' },
    });
    await vi.waitFor(() => expect(proxy.live).toBe(0), patience);
  });
});

/** Forwards bytes to the server, until the test makes it drop the open connections silently. */
async function startProxy(server: Http2Server) {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const proxy = createTcpServer((client) => {
    sockets.add(client);
    client.on('error', () => {}).once('close', () => sockets.delete(client));
    if (isSilent) return void client.resume();
    const upstream = connect((server.address() as AddressInfo).port, '127.0.0.1');
    upstream.on('error', () => {});
    client.once('close', () => upstream.destroy());
    client.pipe(upstream).pipe(client);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(async () => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
    await once(proxy, 'close');
  });
  const { port } = proxy.address() as AddressInfo;
  return {
    url: (path: string) => new URL(path, `http://127.0.0.1:${port}`),
    get live() {
      return sockets.size;
    },
    silence(newcomers?: 'for newcomers too') {
      isSilent = newcomers !== undefined;
      for (const client of sockets) client.unpipe().resume();
    },
  };
}
