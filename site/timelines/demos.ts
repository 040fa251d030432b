/** The demonstrations of the site: what the reader can set, and the programs that run side by side. */
import { underKeyedMutex, withoutLock } from './accounts.js';
import { type Hosts, throughConnectionPool, throughOneLock } from './hosts.js';
import type { Recorder } from './lanes.js';

export interface Control {
  readonly name: string;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly value: number;
}

export type Values = Readonly<Record<string, number>>;

export interface Side {
  readonly title: string;
  /** Resolves with a sentence about the result. */
  run(values: Values, recorder: Recorder): Promise<string>;
}

export interface Demo {
  readonly description: string;
  readonly controls: readonly Control[];
  readonly sides: readonly Side[];
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Hosts of which only the time to connect is real. The first one may be dead: it never answers. */
function timedHosts({ hosts = 0, connectMs = 0, max = 0, dead = 0 }: Values): Hosts<object> {
  const names = Array.from({ length: hosts }, (_, i) => `host ${i}`);
  const connectTimeoutMs = 1_000;
  return {
    names,
    max,
    connectTimeoutMs,
    async connect(name) {
      const isDead = dead > 0 && name === names[0];
      await pause(isDead ? connectTimeoutMs : connectMs);
      if (isDead) throw new Error('the host did not answer');
      return {};
    },
    request: () => pause(20),
    close: async () => {},
  };
}

const hosts: Demo = {
  description: 'One request to each host at once, by two pools',
  controls: [
    { name: 'hosts', label: 'hosts', min: 1, max: 30, value: 10 },
    { name: 'connectMs', label: 'time to connect, ms', min: 10, max: 300, value: 100 },
    { name: 'max', label: 'max connections', min: 1, max: 50, value: 50 },
    { name: 'dead', label: 'dead hosts', min: 0, max: 1, value: 0 },
  ],
  sides: [
    { title: 'One lock, held while connecting', run: onHosts(throughOneLock) },
    { title: 'ConnectionPool', run: onHosts(throughConnectionPool) },
  ],
};

function onHosts(program: (hosts: Hosts<object>, recorder: Recorder) => Promise<void>): Side['run'] {
  return async (values, recorder) => {
    await program(timedHosts(values), recorder);
    const { lanes, servedMs } = recorder.timeline();
    const served = lanes.filter(({ outcome }) => outcome === 'served').length;
    return `${served} of ${lanes.length} hosts served, the last one after ${Math.round(servedMs)} ms`;
  };
}

const accounts: Demo = {
  description: 'Deposits of 1 to two accounts, all at once',
  controls: [
    { name: 'deposits', label: 'deposits', min: 2, max: 30, value: 10 },
    { name: 'queryMs', label: 'time between read and write, ms', min: 1, max: 200, value: 50 },
  ],
  sides: [
    { title: 'Without a lock', run: onAccounts(withoutLock) },
    { title: 'KeyedMutex', run: onAccounts(underKeyedMutex) },
  ],
};

function onAccounts(program: typeof withoutLock): Side['run'] {
  return async ({ deposits = 0, queryMs = 0 }, recorder) => {
    const lost = await program({ deposits, queryMs }, recorder);
    return `${lost} of ${deposits} deposits lost`;
  };
}

export const demos = { hosts, accounts } satisfies Record<string, Demo>;
