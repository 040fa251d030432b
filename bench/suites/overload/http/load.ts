/** Clients of a real HTTP server that is asked for more than it can do. They leave at their deadline. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../../../harness/statistics.js';
import { type Way, workers } from './ways.js';

export const deadlineMs = 500;

/** Calls a second, in times of what is possible: some seconds that are not counted, then those that are. */
export interface Load {
  readonly name: string;
  readonly before: readonly number[];
  readonly counted: readonly number[];
}

/** The first second has three times what is possible: a queue stands when the load begins. */
export const steady = (load: number): Load => ({
  name: `${load}x`,
  before: [3, load, load],
  counted: [load, load, load, load],
});
const burst = [3, 0.7, 0.7, 0.7, 0.7];
export const loads: readonly Load[] = [
  ...[0.8, 1.1, 1.5, 3].map(steady),
  { name: 'bursts', before: burst, counted: burst },
];

export interface Served {
  /** Answers within the deadline, as a share of those that a clairvoyant gives. */
  readonly share: number;
  readonly p50Ms: number | undefined;
  readonly refusedPerSecond: number;
}

/** The status; 0 from a client that has left, or whose call failed. */
export type Call = () => Promise<number>;

/** Answers a second to callers that always ask, after a second in which the server warms up. */
export async function possiblePerSecond(): Promise<number> {
  await using server = await startServer('fifo');
  const call = server.caller();
  const [fromMs, untilMs] = [performance.now() + 1_000, performance.now() + 4_000];
  let answers = 0;
  const ask = async () => {
    while (performance.now() < untilMs) {
      const status = await call();
      if (status === 200 && performance.now() >= fromMs && performance.now() < untilMs) answers++;
    }
  };
  await Promise.all(Array.from({ length: 2 * workers }, ask));
  return (1_000 * answers) / (untilMs - fromMs);
}

/** Calls come by chance, whatever becomes of the earlier ones. */
export async function serve(call: Call, load: Load, possible: number): Promise<Served> {
  const latenciesMs: number[] = [];
  const answerable = clairvoyant(possible);
  let [isCounted, refused, best] = [false, 0, 0];
  const once = async () => {
    const [startedMs, counts] = [performance.now(), isCounted];
    if (answerable(startedMs) && counts) best++;
    const status = await call();
    const latencyMs = performance.now() - startedMs;
    if (!counts) return;
    if (status === 503) refused++;
    if (status === 200 && latencyMs <= deadlineMs) latenciesMs.push(latencyMs);
  };
  for (const times of load.before) await arrivals(once, times * possible);
  isCounted = true;
  for (const times of load.counted) await arrivals(once, times * possible);
  isCounted = false;
  // The load goes on, so that the last counted calls wait as long as the others.
  await arrivals(once, load.counted.at(-1)! * possible);
  return {
    share: latenciesMs.length / best,
    p50Ms: latenciesMs.length > 0 ? quantile(latenciesMs, 0.5) : undefined,
    refusedPerSecond: refused / load.counted.length,
  };
}

/** Whether a call at a time can be answered in time by a server that knows how long each call takes. */
function clairvoyant(possible: number): (atMs: number) => boolean {
  const tookMs = (1_000 * workers) / possible;
  /** When each worker becomes free. */
  const freeMs = new Array<number>(workers).fill(0);
  return (atMs) => {
    const first = freeMs.indexOf(Math.min(...freeMs));
    const endMs = Math.max(atMs, freeMs[first]!) + tookMs;
    if (endMs > atMs + deadlineMs) return false;
    freeMs[first] = endMs;
    return true;
  };
}

/** For a second. */
async function arrivals(call: () => Promise<void>, perSecond: number): Promise<void> {
  const untilMs = performance.now() + 1_000;
  let nextMs = performance.now();
  while (performance.now() < untilMs) {
    for (; nextMs <= performance.now(); nextMs += (-1_000 / perSecond) * Math.log(1 - Math.random())) {
      void call();
    }
    await sleep(1);
  }
}

export async function startServer(way: Way) {
  const child = fork(new URL('./server.process.js', import.meta.url), [way], { stdio: 'inherit' });
  const [port] = (await once(child, 'message')) as [number];
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity });
  return {
    url: `http://127.0.0.1:${port}/`,
    caller: (): Call => () => called(port, agent),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

function called(port: number, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ port, host: '127.0.0.1', agent }, (response) => {
      response.resume();
      response.once('end', () => end(response.statusCode ?? 0));
    });
    const deadline = setTimeout(() => request.destroy(), deadlineMs);
    const end = (status: number) => {
      clearTimeout(deadline);
      resolve(status);
    };
    request.once('error', () => end(0));
    request.once('close', () => end(0));
  });
}
