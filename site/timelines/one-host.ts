/** Many requests to one cold host at once: look, connect, look again, beside `ConnectionPool`. */
import { ConnectionPool } from 'latchkey';
import { ThreePhasePool } from '../../bench/naive/three-phase-pool.js';
import { followed } from './events.js';
import type { Recorder } from './lanes.js';

/** The host: a real one in the bench, timers in a browser. */
export interface OneHost<C> {
  readonly requests: number;
  readonly max: number;
  /** How many requests one connection serves at a time. */
  readonly leasesPerConnection: number;
  connect(): Promise<C>;
  request(connection: C): Promise<void>;
  close(connection: C): Promise<void>;
}

/** Connections that are being dialled count. */
const line = 'connections';

const lanesOf = ({ requests }: { requests: number }) =>
  Array.from({ length: requests }, (_, i) => `request ${i}`);

/** Counts connections from the moment when a pool begins to dial. */
function counted<C>(host: OneHost<C>, recorder: Recorder): Pick<OneHost<C>, 'connect' | 'close'> {
  const count = (change: number) => recorder.step(line, recorder.value(line) + change);
  recorder.step(line, 0);
  return {
    connect() {
      count(1);
      return host.connect();
    },
    close(connection) {
      count(-1);
      return host.close(connection);
    },
  };
}

export async function lookTwice<C>(host: OneHost<C>, recorder: Recorder): Promise<void> {
  const { connect, close } = counted(host, recorder);
  let caller = '';
  const pool = new ThreePhasePool<C, string>({
    connect() {
      // The pool dials within the call that asks for the connection.
      recorder.enter(caller, 'connecting');
      return connect();
    },
    close,
  });
  await Promise.all(
    lanesOf(host).map(async (lane) => {
      caller = lane;
      await pool.use('host', async (connection) => {
        recorder.enter(lane, 'using');
        await host.request(connection);
      });
      recorder.end(lane, 'served');
    }),
  );
  recorder.stop();
  await pool.close();
}

export async function boundedPool<C extends object>(host: OneHost<C>, recorder: Recorder): Promise<void> {
  const { max, leasesPerConnection } = host;
  const pool = new ConnectionPool<C, string>(counted(host, recorder), { max, leasesPerConnection });
  await Promise.all(
    lanesOf(host).map((lane) =>
      followed({ recorder, lane }, () => pool.use('host', (connection) => host.request(connection))),
    ),
  );
  recorder.stop();
  await pool.close();
}
