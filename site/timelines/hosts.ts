/** One request to each of some hosts: a pool that holds one lock while it connects, beside `ConnectionPool`. */
import { ConnectionPool } from 'latchkey';
import { GlobalLockPool } from '../../bench/naive/global-lock-pool.js';
import { followed } from './events.js';
import type { Recorder } from './lanes.js';

/** The hosts: real ones in the bench, timers in a browser. */
export interface Hosts<C> {
  readonly names: readonly string[];
  readonly max: number;
  readonly connectTimeoutMs: number;
  connect(name: string): Promise<C>;
  request(connection: C): Promise<void>;
  close(connection: C): Promise<void>;
}

export async function throughOneLock<C>(hosts: Hosts<C>, recorder: Recorder): Promise<void> {
  const pool = new GlobalLockPool<C, string>({
    max: hosts.max,
    connect: recorded(hosts, recorder),
    close: hosts.close,
  });
  await Promise.all(
    hosts.names.map(async (name) => {
      recorder.enter(name, 'waiting');
      try {
        await pool.use(name, (connection) => {
          recorder.enter(name, 'using');
          return hosts.request(connection);
        });
        recorder.end(name, 'served');
      } catch {
        recorder.end(name, 'failed');
      }
    }),
  );
  recorder.stop();
  await pool.close();
}

export async function throughConnectionPool<C extends object>(
  hosts: Hosts<C>,
  recorder: Recorder,
): Promise<void> {
  const { max, connectTimeoutMs, close } = hosts;
  const connect = recorded(hosts, recorder);
  const pool = new ConnectionPool<C, string>({ connect, close }, { max, connectTimeoutMs });
  await Promise.all(
    hosts.names.map((lane) =>
      followed({ recorder, lane }, () => pool.use(lane, (connection) => hosts.request(connection))),
    ),
  );
  recorder.stop();
  await pool.close();
}

/** A lane connects from the moment when the pool calls `connect` for its host. */
function recorded<C>(hosts: Hosts<C>, recorder: Recorder): (name: string) => Promise<C> {
  return (name) => {
    recorder.enter(name, 'connecting');
    return hosts.connect(name);
  };
}
