/** A server that ends a connection with the packet that begins it, as one does that shuts down. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { lockedTransaction, PostgresMutex, retryTransaction } from 'latchkey/postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

const message = (type: string, body: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
};
const greeting = Buffer.concat([
  message('R', Buffer.alloc(4)),
  message('Z', Buffer.from('I')),
  message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0')),
]);

let server: Server;
const pools: pg.Pool[] = [];
beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(greeting));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  server.close();
});

const waysToConnect = {
  retryTransaction: (pool: pg.Pool) => retryTransaction(pool, () => 1, { attempts: 3 }),
  lockedTransaction: (pool: pg.Pool) => lockedTransaction(pool, 'key', () => 1),
  'a session lock': (pool: pg.Pool) => new PostgresMutex(pool, { mode: 'session' }).acquire('key'),
};

test.each(Object.entries(waysToConnect))(
  '%s: a connection that breaks as it begins is the error of the server, and not the end of this process',
  async (name, connect) => {
    const { port } = server.address() as AddressInfo;
    const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'app', database: 'app' });
    pools.push(pool);
    let connections = 0;
    let unheard = 0;
    pool.on('error', () => {});
    pool.on('connect', (client) => {
      connections++;
      // An error that nobody listens to would be thrown by the driver.
      client.emit = (event: string, ...values: unknown[]) => {
        if (event === 'error' && client.listenerCount('error') === 0) unheard++;
        else pg.Client.prototype.emit.call(client, event, ...values);
        return true;
      };
    });
    await expect(connect(pool)).rejects.toMatchObject({ code: '57P01', message: 'terminating connection' });
    expect(connections).toBe(name === 'retryTransaction' ? 3 : 1);
    expect(unheard).toBe(0);
    expect(pool.totalCount).toBe(0);
  },
);
