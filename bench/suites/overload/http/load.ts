/** Clients of a real HTTP server that is asked for more than it can do. They leave at their deadline. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../../../harness/statistics.js';
import { type Way, workers } from './ways.js';

export const deadlineMs = 500;
/** The first second has three times what is possible: a queue stands when the load begins. */
const seconds = { surge: 1, settling: 2, counted: 4 };

export interface Served {
  /** Answers within the deadline, as a share of what is possible. */
  readonly share: number;
  readonly p50Ms: number | undefined;
  readonly refusedPerSecond: number;
}

/** The status; 0 from a client that has left, or whose call failed. */
export type Call = () => Promise<number>;

/** Answers a second to callers that always ask. */
export async function possiblePerSecond(): Promise<number> {
  await using server = await startServer('fifo');
  const call = server.caller();
  let answers = 0;
  const untilMs = performance.now() + 2_000;
  const ask = async () => {
    while (performance.now() < untilMs) if ((await call()) === 200) answers++;
  };
  await Promise.all(Array.from({ length: 2 * workers }, ask));
  return answers / 2;
}

/** `load` times what is possible, by chance, whatever becomes of the earlier calls. */
export async function serve(call: Call, load: number, possible: number): Promise<Served> {
  const latenciesMs: number[] = [];
  let [isCounted, refused] = [false, 0];
  const once = async () => {
    const [startedMs, counts] = [performance.now(), isCounted];
    const status = await call();
    const latencyMs = performance.now() - startedMs;
    if (!counts) return;
    if (status === 503) refused++;
    if (status === 200 && latencyMs <= deadlineMs) latenciesMs.push(latencyMs);
  };
  await arrivals(once, 3 * possible, seconds.surge);
  await arrivals(once, load * possible, seconds.settling);
  isCounted = true;
  await arrivals(once, load * possible, seconds.counted);
  await sleep(deadlineMs);
  return {
    share: latenciesMs.length / (Math.min(1, load) * possible * seconds.counted),
    p50Ms: latenciesMs.length > 0 ? quantile(latenciesMs, 0.5) : undefined,
    refusedPerSecond: refused / seconds.counted,
  };
}

async function arrivals(call: () => Promise<void>, perSecond: number, forSeconds: number): Promise<void> {
  const untilMs = performance.now() + 1_000 * forSeconds;
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
