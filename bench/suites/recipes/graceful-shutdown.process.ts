/** The service that graceful-shutdown.ts stops: every order is two rows, one after the other. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Semaphore } from 'latchkey';
import { postgresPool } from '../../../docs/recipes/connection-pool-pg.js';
import { shutDown } from '../../../docs/recipes/graceful-shutdown.js';
import { endOnSigterm } from '../../../docs/recipes/naive/graceful-shutdown.js';

const [way, connectionOptions = ''] = process.argv.slice(2);
const limit = new Semaphore(20);
const pool = postgresPool(JSON.parse(connectionOptions), { max: 20 });

const placeOrder = () =>
  pool.use(async (client) => {
    const { rows } = await client.query('insert into orders default values returning id');
    await client.query('select pg_sleep(0.05)');
    await client.query('insert into order_lines values ($1)', [rows[0].id]);
  });

const server = createServer((_request, response) => {
  limit.run(placeOrder).then(
    () => response.end('ordered'),
    () => response.writeHead(503).end(),
  );
});

if (way === 'naive') endOnSigterm();
else process.once('SIGTERM', () => shutDown({ server, limits: [limit], pools: [pool] }, { noticeMs: 500 }));

server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
