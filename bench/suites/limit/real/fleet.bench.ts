/**
 * On demand: processes, each with its own adaptive semaphore, call one HTTP server with 20 workers of 20 ms. Together they
 * ask for 1.3 times its capacity, without a connection to each other. The best limit for each is a fair share of the workers:
 * 5 for each of four, and 2 for each of 16, because 1 would leave workers idle. `--processes=16`, `--seconds=90` and `--law=elastic` change what is run.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { aligned } from '../../../harness/report.js';
import type { Suite } from '../../../harness/subjects.js';
import type { FleetAnswer, FleetOrder } from './fleet.process.js';
import { startHttpBackend } from './http-backend.js';
import { contenders } from './limits.js';

const perSecond = 1_300;
const workers = 20;
const startedWithinMs = 4_000;

interface Plan {
  readonly processes: number;
  readonly forMs: number;
  readonly measuredMs: number;
}

export const adaptiveFleet: Suite = {
  name: 'adaptive-fleet',
  onDemand: true,
  printsItself: true,
  async run(_measure, flags) {
    const plan: Plan = {
      processes: Number(flags['processes'] ?? 4),
      forMs: 1_000 * Number(flags['seconds'] ?? 25),
      measuredMs: 15_000,
    };
    const { 'fixed 5': _, ...laws } = contenders;
    const fairShare = `fixed ${Math.ceil(workers / plan.processes)}`;
    const wanted = [fairShare, ...Object.keys(laws)].filter((law) => [undefined, law].includes(flags['law']));
    const backend = await startHttpBackend();
    try {
      const header = ['limit', 'goodput/s', 'p50', 'p99', 'refused/s', 'left/s', 'limits', 'Jain'];
      const rows: string[][] = [];
      for (const contender of wanted) rows.push(row(contender, await fleet(backend.port, contender, plan)));
      console.log(
        `\n${plan.processes} processes before one server; the last ${plan.measuredMs / 1_000} of ${plan.forMs / 1_000} s`,
      );
      console.log(aligned([header, ...rows], false));
    } finally {
      await backend.stop();
    }
  },
};

function fleet(
  port: number,
  contender: string,
  { processes, forMs, measuredMs }: Plan,
): Promise<FleetAnswer[]> {
  return Promise.all(
    Array.from({ length: processes }, async (_, i) => {
      const lateMs = (i * startedWithinMs) / processes;
      await new Promise((resolve) => setTimeout(resolve, lateMs));
      const child = fork(new URL('./fleet.process.js', import.meta.url), { stdio: 'inherit' });
      child.send({
        port,
        contender,
        perSecond: perSecond / processes,
        forMs: forMs - lateMs,
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
