/** A crawler asks one host after the other: it keeps a connection per host, beside a `ConnectionPool` with `max`. */
import { ConnectionPool } from 'latchkey';
import { drawConnections } from './events.js';
import type { Recorder } from './lanes.js';
import { pause } from './pause.js';

export interface Crawl {
  readonly hosts: number;
  readonly max: number;
}

const betweenHostsMs = 10;
const connectMs = 30;
const requestMs = 20;

/** Resolves with the most connections at once. */
export async function mapOfConnections({ hosts }: Crawl, recorder: Recorder): Promise<number> {
  const connections = new Map<number, Promise<object>>();
  recorder.step('connections', 0);
  const connect = async () => {
    await pause(connectMs);
    recorder.step('connections', recorder.value('connections') + 1);
    return {};
  };
  await crawl(hosts, async (host) => {
    const connection = connections.get(host) ?? connect();
    connections.set(host, connection);
    await connection;
    await pause(requestMs);
  });
  recorder.stop();
  return recorder.most('connections');
}

export async function poolWithMax({ hosts, max }: Crawl, recorder: Recorder): Promise<number> {
  const connect = async () => {
    await pause(connectMs);
    return {};
  };
  const pool = new ConnectionPool<object, number>({ connect, close: () => {} }, { max });
  drawConnections(recorder, pool);
  await crawl(hosts, (host) => pool.use(host, () => pause(requestMs)));
  recorder.stop();
  const most = recorder.most('connections');
  await pool.close();
  return most;
}

async function crawl(hosts: number, ask: (host: number) => Promise<void>): Promise<void> {
  const asked: Promise<void>[] = [];
  for (let host = 0; host < hosts; host++) {
    asked.push(ask(host));
    await pause(betweenHostsMs);
  }
  await Promise.all(asked);
}
