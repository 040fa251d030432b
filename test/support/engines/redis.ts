import { Redis } from 'ioredis';
import { debianProgram } from './debian-program.js';
import { freePort } from './free-port.js';
import { ServerProcess } from './server-process.js';
import { atNewSite } from './server-site.js';

export interface RedisServer extends AsyncDisposable {
  readonly connectionOptions: { host: string; port: number };
  /** Stops the server; it keeps no data. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** The server answers nothing until `thaw`, while its connections stay open: a network partition. */
  freeze(): void;
  thaw(): void;
}

const program = process.env['LATCHKEY_REDIS'] === 'valkey' ? 'valkey-server' : 'redis-server';

/**
 * Starts a Redis of its own, which writes nothing to disk, or a Valkey when the variable LATCHKEY_REDIS says so. `more`: settings,
 * as in its configuration file.
 */
export function startRedis(more: Record<string, string> = {}): Promise<RedisServer> {
  return atNewSite(async (site) => {
    const { directory, port } = site;
    const found = await debianProgram(site, program);
    const settings = { port, bind: '127.0.0.1', dir: directory, save: '', appendonly: 'no', ...more };
    const launch = () =>
      ServerProcess.start({
        ...found,
        args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
        site,
        stopSignal: 'TERM',
        readyLine: 'Ready to accept connections',
      });
    let server = await launch();
    return {
      connectionOptions: { host: '127.0.0.1', port },
      stop: () => server.stop(),
      async start() {
        server = await launch();
      },
      freeze: () => server.signal('SIGSTOP'),
      thaw: () => server.signal('SIGCONT'),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}

export interface RedisCluster extends AsyncDisposable {
  /** Any node; each one knows the others. */
  readonly connectionOptions: { host: string; port: number };
}

const slots = 16_384;

/** Starts a Redis Cluster of `count` masters, which share the slots evenly. */
export async function startRedisCluster(size = 3): Promise<RedisCluster> {
  const settings = { 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1' };
  // By default the nodes talk at their port plus 10,000, which another program may use.
  const buses = await Promise.all(Array.from({ length: size }, freePort));
  const nodes = await Promise.all(buses.map((bus) => startRedis({ ...settings, 'cluster-port': `${bus}` })));
  const clients = nodes.map(({ connectionOptions }) => new Redis(connectionOptions));
  const [first] = nodes;
  const dispose = async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
  };
  try {
    for (const [i, client] of clients.entries()) {
      const [from, to] = [Math.floor((slots * i) / size), Math.floor((slots * (i + 1)) / size) - 1];
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
      const { host, port } = nodes[i]!.connectionOptions;
      if (i > 0) await clients[0]!.call('CLUSTER', 'MEET', host, port, buses[i]!);
    }
    const isReady = async (client: Redis) => {
      const info = String(await client.call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`);
    };
    for (const client of clients) {
      while (!(await isReady(client))) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return { connectionOptions: first!.connectionOptions, [Symbol.asyncDispose]: dispose };
}
