/** The demonstrations of the site: what the reader can set, and the programs that run side by side. */
import { underKeyedMutex, withoutLock } from './accounts.js';
import { fixedLimit, type Goodput, underAdaptiveLimit, underFixedLimit, type Workers } from './backend.js';
import { allAtOnce, oneAfterTheOther, type Transferred } from './deadlock.js';
import { type Hosts, throughConnectionPool, throughOneLock } from './hosts.js';
import { countOf, type Recorder } from './lanes.js';
import { type Crawl, mapOfConnections, poolWithMax } from './memory.js';
import { boundedPool, lookTwice, type OneHost } from './one-host.js';
import { pause } from './pause.js';
import { firstComeFirstServed, type Load, withControlledDelay } from './queue.js';

export interface Control {
  readonly name: string;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly value: number;
  /** It may be moved while the programs run. */
  readonly live?: boolean;
}

export type Values = Readonly<Record<string, number>>;

export interface Result {
  readonly sentence: string;
  /** What the program printed. */
  readonly printed?: string | undefined;
}

export interface Side {
  readonly title: string;
  /** Reads a `live` value again and again. */
  run(values: Values, recorder: Recorder): Promise<Result>;
}

export interface Demo {
  readonly description: string;
  readonly controls: readonly Control[];
  readonly sides: readonly Side[];
  /** What red means. */
  readonly failed?: string;
}

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

function onHosts(program: (hosts: Hosts<object>, recorder: Recorder) => Promise<void>): Side['run'] {
  return async (values, recorder) => {
    await program(timedHosts(values), recorder);
    const timeline = recorder.timeline();
    const served = `${countOf(timeline, 'served')} of ${timeline.lanes.length} hosts served`;
    return { sentence: `${served}, the last one after ${Math.round(timeline.servedMs)} ms` };
  };
}

const hosts: Demo = {
  description: 'One request to each host at once, by two pools',
  controls: [
    { name: 'hosts', label: 'hosts', min: 1, max: 100, value: 10 },
    { name: 'connectMs', label: 'time to connect, ms', min: 10, max: 300, value: 100 },
    { name: 'max', label: 'max connections', min: 1, max: 100, value: 50 },
    { name: 'dead', label: 'dead hosts', min: 0, max: 1, value: 0 },
  ],
  sides: [
    { title: 'One lock, held while connecting', run: onHosts(throughOneLock) },
    { title: 'ConnectionPool', run: onHosts(throughConnectionPool) },
  ],
};

function onOneHost(program: (host: OneHost<object>, recorder: Recorder) => Promise<void>): Side['run'] {
  return async ({ requests = 0, connectMs = 0, max = 0, shared = 0 }, recorder) => {
    let dialled = 0;
    const connect = async () => {
      dialled++;
      await pause(connectMs);
      return {};
    };
    const request = () => pause(20);
    await program(
      { requests, max, leasesPerConnection: shared, connect, request, close: async () => {} },
      recorder,
    );
    const { lanes, servedMs } = recorder.timeline();
    return {
      sentence: `${lanes.length} requests served, the last one after ${Math.round(servedMs)} ms; ${dialled} connections dialled`,
    };
  };
}

const oneHost: Demo = {
  description: 'Requests to one host at once, to which nobody is connected yet',
  controls: [
    { name: 'requests', label: 'requests', min: 1, max: 100, value: 100 },
    { name: 'connectMs', label: 'time to connect, ms', min: 10, max: 300, value: 100 },
    { name: 'max', label: 'max connections', min: 1, max: 100, value: 10 },
    { name: 'shared', label: 'requests per connection at a time', min: 1, max: 100, value: 10 },
  ],
  sides: [
    { title: 'Look, connect, look again', run: onOneHost(lookTwice) },
    { title: 'ConnectionPool', run: onOneHost(boundedPool) },
  ],
};

function onCrawl(program: (crawl: Crawl, recorder: Recorder) => Promise<number>): Side['run'] {
  return async ({ hosts = 0, max = 0 }, recorder) => {
    const most = await program({ hosts, max }, recorder);
    return { sentence: `at most ${most} connections at once` };
  };
}

const memory: Demo = {
  description: 'Connections over time, of a crawler that asks one host after the other',
  controls: [
    { name: 'hosts', label: 'hosts', min: 10, max: 500, value: 200 },
    { name: 'max', label: 'max connections', min: 1, max: 100, value: 20 },
  ],
  sides: [
    { title: 'A Map of connections', run: onCrawl(mapOfConnections) },
    { title: 'ConnectionPool with max', run: onCrawl(poolWithMax) },
  ],
};

function onAccounts(program: typeof withoutLock): Side['run'] {
  return async ({ deposits = 0, queryMs = 0 }, recorder) => {
    const lost = await program({ deposits, queryMs }, recorder);
    recorder.stop();
    return { sentence: `${lost} of ${deposits} deposits lost` };
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

function onQueue(
  program: (load: Load, recorder: Recorder) => ReturnType<typeof firstComeFirstServed>,
): Side['run'] {
  return async ({ percent = 0, patienceMs = 0 }, recorder) => {
    const { inTime, late, refused } = await program({ percent, patienceMs }, recorder);
    return { sentence: `${inTime} calls answered in time, ${late} too late, ${refused} refused` };
  };
}

const overload: Demo = {
  description: 'Calls to a backend that serves two at a time, and callers that leave',
  failed: 'refused, or answered after the caller has left',
  controls: [
    { name: 'percent', label: 'calls, % of what is possible', min: 50, max: 400, value: 200 },
    { name: 'patienceMs', label: 'callers leave after, ms', min: 100, max: 1_000, value: 300 },
  ],
  sides: [
    { title: 'First come, first served', run: onQueue(firstComeFirstServed) },
    { title: 'controlledDelay', run: onQueue(withControlledDelay) },
  ],
};

function onBackend(program: (workers: Workers, recorder: Recorder) => Promise<Goodput>): Side['run'] {
  return async (values, recorder) => {
    const { calls, medianMs, limit } = await program(
      { workers: () => values['workers'] ?? 0, durationMs: 1_000 * (values['seconds'] ?? 0) },
      recorder,
    );
    return {
      sentence: `${calls} calls served; half of those of the last second took ${Math.round(medianMs)} ms or less in the backend, under a limit of ${limit}`,
    };
  };
}

const adaptive: Demo = {
  description: 'The limit in front of a backend, whose workers come and go',
  controls: [
    { name: 'workers', label: 'workers: move it while it runs', min: 1, max: 40, value: 20, live: true },
    { name: 'seconds', label: 'seconds', min: 5, max: 60, value: 12 },
  ],
  sides: [
    { title: `A fixed limit of ${fixedLimit}`, run: onBackend(underFixedLimit) },
    { title: 'AdaptiveSemaphore', run: onBackend(underAdaptiveLimit) },
  ],
};

function onTransfers(
  program: (transfers: { queryMs: number }, recorder: Recorder) => Promise<Transferred>,
): Side['run'] {
  return async ({ queryMs = 0 }, recorder) => {
    const { done, tree } = await program({ queryMs }, recorder);
    return { sentence: `${done} of 2 transfers done`, printed: tree };
  };
}

const deadlock: Demo = {
  description: 'Two transfers between ann and bob, in opposite directions',
  failed: 'waits for ever',
  controls: [{ name: 'queryMs', label: 'time of a query, ms', min: 10, max: 200, value: 50 }],
  sides: [
    { title: 'One account locked after the other', run: onTransfers(oneAfterTheOther) },
    { title: 'runAll', run: onTransfers(allAtOnce) },
  ],
};

export const demos = { hosts, oneHost, memory, accounts, overload, adaptive, deadlock } satisfies Record<
  string,
  Demo
>;
