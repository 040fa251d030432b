import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A port of 127.0.0.1 without a listener. Below the range from which the system takes the ports of clients:
 * there, a client that dials a closed port may be given that very port, and connect to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const server = createServer();
    const free = await Promise.race([
      once(server.listen(port, '127.0.0.1'), 'listening').then(() => true),
      once(server, 'close').then(() => false),
    ]).catch(() => false);
    server.close();
    if (free) return port;
  }
}
