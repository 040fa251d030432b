import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Address, LineClient, linePool } from '../../../docs/recipes/connection-pool-tcp.js';
import { ConnectionPerHost } from '../../../docs/recipes/naive/connection-per-host.js';
import { type Behaviour, neverAnswers, startTcpServer } from '../../../test/support/engines/tcp.js';
import { median } from '../../harness/statistics.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

type Ask = (address: Address) => Promise<string>;

const hosts = 100;
const patienceMs = 3_000;

/** Lets a client in after 10 ms, and echoes what it sends. */
const greetsLate: Behaviour = (socket) => {
  setTimeout(() => socket.write('ready\n'), 10);
  socket.on('data', (line) => socket.write(line));
};

export const connectionPerHost: RecipeCost = {
  name: 'connection-per-host',
  async measure() {
    const servers = await Promise.all(Array.from({ length: hosts }, () => startTcpServer(greetsLate)));
    const tarpit = await startTcpServer(neverAnswers);
    const alive = servers.map(({ connectionOptions }) => connectionOptions);
    try {
      const [naiveMs, recipeMs] = [await medianMs(naively, alive), await medianMs(pooled, alive)];
      const withDead = [tarpit.connectionOptions, ...alive];
      const naive = await naively((ask) => answered(ask, withDead));
      const recipe = await pooled((ask) => answered(ask, withDead));
      return [
        {
          what: `time until ${hosts} TCP servers with a handshake of 10 ms have answered`,
          unit: 'ms',
          naive: naiveMs,
          recipe: recipeMs,
        },
        {
          what: `of the ${hosts}, answered within ${patienceMs / 1_000} s when the first host accepts and never answers`,
          naive,
          recipe,
        },
      ];
    } finally {
      for (const server of [...servers, tarpit]) await server[Symbol.asyncDispose]();
    }
  },
};

async function naively<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
  const clients: LineClient[] = [];
  const perHost = new ConnectionPerHost(async (url) => {
    const client = new LineClient(connect(Number(url.split(':')[1]), '127.0.0.1'));
    clients.push(client);
    await client.nextLine();
    return client;
  });
  try {
    return await work(async ({ host, port }) => (await perHost.get(`${host}:${port}`)).ask('hello'));
  } finally {
    for (const { socket } of clients) {
      socket.destroy();
      await once(socket, 'close');
    }
  }
}

async function pooled<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
  const pool = linePool({ max: 100 + 1 });
  try {
    return await work((address) => pool.use(address, (client) => client.ask('hello')));
  } finally {
    await pool.close({ graceMs: 0 });
  }
}

/** The connections are cold each time; the code is not. */
async function medianMs(way: typeof naively<number>, addresses: readonly Address[]): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 7; round++) {
    times.push(await way((ask) => elapsedMs(() => Promise.all(addresses.map(ask)))));
  }
  return median(times);
}

async function answered(ask: Ask, addresses: readonly Address[]): Promise<number> {
  let count = 0;
  for (const address of addresses) {
    ask(address).then(
      () => count++,
      () => {},
    );
  }
  await sleep(patienceMs);
  return count;
}
