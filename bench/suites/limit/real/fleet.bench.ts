/**
 * On demand: four processes, each with its own adaptive semaphore, call one HTTP server with 20 workers of 20 ms.
 * Together they ask for 1.3 times its capacity, without a connection to each other. The best limit for each is 5.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { aligned } from '../../../harness/report.js';
import type { Suite } from '../../../harness/subjects.js';
import type { FleetAnswer, FleetOrder } from './fleet.process.js';
import { startHttpBackend } from './http-backend.js';
import { type Contender, contenders } from './limits.js';

const processes = 4;
const perSecond = 1_300;
const forMs = 25_000;
const measuredMs = 15_000;
const staggerMs = 1_000;

export const adaptiveFleet: Suite = {
  name: 'adaptive-fleet',
  onDemand: true,
  printsItself: true,
  async run() {
    const backend = await startHttpBackend();
    try {
      const header = ['limit', 'goodput/s', 'p50', 'p99', 'refused/s', 'left/s', 'limits', 'Jain'];
      const rows: string[][] = [];
      for (const contender of Object.keys(contenders) as Contender[])
        rows.push(row(contender, await fleet(backend.port, contender)));
      console.log(
        `\n${processes} processes before one server; the last ${measuredMs / 1_000} of ${forMs / 1_000} s`,
      );
      console.log(aligned([header, ...rows], false));
    } finally {
      await backend.stop();
    }
  },
};

function fleet(port: number, contender: Contender): Promise<FleetAnswer[]> {
  return Promise.all(
    Array.from({ length: processes }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * staggerMs));
      const child = fork(new URL('./fleet.process.js', import.meta.url), { stdio: 'inherit' });
      const left = forMs - i * staggerMs;
      child.send({
        port,
        contender,
        perSecond: perSecond / processes,
        forMs: left,
        measuredMs,
      } satisfies FleetOrder);
      const [answer] = (await once(child, 'message')) as [FleetAnswer];
      return answer;
    }),
  );
}

function row(contender: string, answers: readonly FleetAnswer[]): string[] {
  const sum = (figure: (answer: FleetAnswer) => number) => answers.reduce((total, a) => total + figure(a), 0);
  const total = sum(({ goodput }) => goodput);
  const fairness = total ** 2 / (answers.length * sum(({ goodput }) => goodput ** 2));
  return [
    contender,
    Math.round(total).toLocaleString('en-US'),
    `${Math.round(sum(({ p50Ms }) => p50Ms) / answers.length)} ms`,
    `${Math.round(Math.max(...answers.map(({ p99Ms }) => p99Ms)))} ms`,
    Math.round(sum(({ refused }) => refused)).toLocaleString('en-US'),
    Math.round(sum(({ shed }) => shed)).toLocaleString('en-US'),
    answers.map(({ limit }) => limit.toFixed(1)).join(' '),
    fairness.toFixed(2),
  ];
}
