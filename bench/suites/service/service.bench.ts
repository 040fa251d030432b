/** What a reader wants to know: what the primitives cost a service. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { quantile } from '../../harness/statistics.js';
import type { Case, Role, Sample, Suite } from '../../harness/subjects.js';
import { asFastAs } from '../../harness/targets.js';

const clients = 100;
const sampleMs = 400;

const paths: readonly { path: string; name: string; role: Role }[] = [
  { path: '/nothing', name: 'nothing around the handler', role: 'floor' },
  { path: '/latchkey/5', name: 'latchkey: limit, key, retry with timeout, pool, lock', role: 'latchkey' },
  { path: '/latchkey/3', name: 'latchkey: limit, lock, pool', role: 'latchkey' },
  { path: '/latchkey/1', name: 'latchkey: limit', role: 'latchkey' },
  { path: '/others/5', name: 'p-limit, async-lock, p-retry, generic-pool, async-mutex', role: 'peer' },
  { path: '/others/3', name: 'p-limit, async-mutex, generic-pool', role: 'peer' },
  { path: '/others/1', name: 'p-limit', role: 'peer' },
];

/** All subjects are handlers of one server process. The clients are in this process. */
class Service {
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  static async start(): Promise<Service> {
    const child = fork(new URL('./service.process.js', import.meta.url), { stdio: 'inherit' });
    const [port] = await once(child, 'message');
    return new Service(child, port as number);
  }

  /** Each client asks again as soon as it has its answer. */
  async sample(path: string): Promise<Sample> {
    const latenciesMs: number[] = [];
    const sockets = await Promise.all(Array.from({ length: clients }, () => this.#connect()));
    const before = await this.#processorMs();
    const startedMs = performance.now();
    await Promise.all(sockets.map((socket) => client(socket, path, startedMs + sampleMs, latenciesMs)));
    const ms = performance.now() - startedMs;
    const processorMs = (await this.#processorMs()) - before;
    const requests = latenciesMs.length;
    return {
      cost: ms / requests,
      counts: {
        'requests a second': Math.round((requests / ms) * 1_000),
        'p99, ms': Number(quantile(latenciesMs, 0.99).toPrecision(3)),
        'processor, us a request': Number(((processorMs / requests) * 1_000).toPrecision(3)),
      },
    };
  }

  async stop(): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }

  async #connect(): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1').setNoDelay(true);
    await once(socket, 'connect');
    return socket;
  }

  async #processorMs(): Promise<number> {
    this.#child.send('processor time');
    const [{ user, system }] = (await once(this.#child, 'message')) as [NodeJS.CpuUsage];
    return (user + system) / 1_000;
  }
}

/** An answer comes in one piece on the loopback, and ends with its body. */
function client(socket: Socket, path: string, untilMs: number, latenciesMs: number[]): Promise<void> {
  const request = `GET ${path} HTTP/1.1\r\nHost: service\r\n\r\n`;
  return new Promise((resolve, reject) => {
    let askedMs = 0;
    const ask = () => {
      askedMs = performance.now();
      socket.write(request);
    };
    socket.on('error', reject);
    socket.on('data', (answer) => {
      if (!answer.toString('latin1').endsWith('ok')) return reject(new Error(`unexpected answer: ${answer}`));
      const nowMs = performance.now();
      latenciesMs.push(nowMs - askedMs);
      if (nowMs < untilMs) return ask();
      socket.destroy();
      resolve();
    });
    ask();
  });
}

export const service: Suite = {
  name: 'service',
  async run(measure) {
    const running = await Service.start();
    const table: Case = {
      title: 'Service: HTTP on the loopback, 100 connections, an empty handler inside of primitives',
      shows: 'What primitives cost a request beside HTTP itself. Server and clients share two cores.',
      time: 'per request',
      rounds: 9,
      warmups: 2,
      budgetMs: Infinity,
      subjects: paths.map(({ path, name, role }) => ({
        name,
        role,
        targets: path === '/latchkey/5' ? [asFastAs(1, 'p-limit, async-mutex, generic-pool')] : [],
        sample: () => running.sample(path),
      })),
    };
    try {
      await measure(table);
    } finally {
      await running.stop();
    }
  },
};
