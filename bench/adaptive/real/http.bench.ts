/**
 * On demand: an HTTP server in a process of its own, 20 workers of 20 ms, that loses half of them for a while. 1,300
 * calls a second arrive, 1.3 times what it can do; callers leave after 250 ms.
 */
import type { LimitAlgorithm } from 'latchkey';
import type { Suite } from '../../subjects.js';
import { type HttpBackend, httpCaller, startHttpBackend } from './http-backend.js';
import { contenders, fixed, semaphoreOf } from './limits.js';
import { figuresOf, followedAfterMs, type Notes, openLoad, type PhaseFigures } from './load.js';
import { bestFixed, type PhaseOf, printPhases, printVerdict } from './phases.js';

const perSecond = 1_300;
const waitTimeoutMs = 250;
const swept = [10, 14, 20, 24, 28, 34, 40];
const workers = { full: 20, half: 10 };
/** In seconds. Goodput and durations are those from five seconds after a change; how it was followed is told apart. */
const plan = { halvedAt: 9, fullAt: 19, end: 29, settled: 5 };

export const adaptiveHttp: Suite = {
  name: 'adaptive-http',
  onDemand: true,
  printsItself: true,
  async run() {
    const backend = await startHttpBackend();
    try {
      const full = await bestOf(backend, workers.full);
      const half = await bestOf(backend, workers.half);
      const rows: PhaseOf[] = [];
      for (const [name, makeLimit] of Object.entries(contenders)) {
        rows.push({ name, phases: await threePhases(backend, makeLimit(), full, half) });
      }
      console.log(`\n${perSecond} calls a second to an HTTP server of 20 workers, 10 for ten seconds`);
      printPhases(['20 workers', '10 workers', '20 workers'], [full, half, full], rows);
      printVerdict(rows, [full, half, full]);
    } finally {
      await backend.stop();
    }
  },
};

function bestOf(backend: HttpBackend, count: number): Promise<PhaseFigures> {
  backend.setWorkers(count);
  return bestFixed(swept, async (limit, forMs) => {
    const startedMs = performance.now();
    const notes = await load(backend, fixed(limit), forMs + 1_000);
    return figuresOf(notes, startedMs + 1_000, startedMs + 1_000 + forMs);
  });
}

async function threePhases(
  backend: HttpBackend,
  algorithm: LimitAlgorithm,
  full: PhaseFigures,
  half: PhaseFigures,
) {
  backend.setWorkers(workers.full);
  const startedMs = performance.now();
  const at = (second: number) => startedMs + second * 1_000;
  const halve = setTimeout(() => backend.setWorkers(workers.half), plan.halvedAt * 1_000);
  const restore = setTimeout(() => backend.setWorkers(workers.full), plan.fullAt * 1_000);
  const notes = await load(backend, algorithm, plan.end * 1_000);
  clearTimeout(halve);
  clearTimeout(restore);
  return [
    { ...figuresOf(notes, at(plan.settled), at(plan.halvedAt)), followedMs: undefined },
    {
      ...figuresOf(notes, at(plan.halvedAt + plan.settled), at(plan.fullAt)),
      followedMs: followedAfterMs(notes, at(plan.halvedAt), at(plan.fullAt), half),
    },
    {
      ...figuresOf(notes, at(plan.fullAt + plan.settled), at(plan.end)),
      followedMs: followedAfterMs(notes, at(plan.fullAt), at(plan.end), full),
    },
  ];
}

function load({ port }: HttpBackend, algorithm: LimitAlgorithm, forMs: number): Promise<Notes> {
  const semaphore = semaphoreOf(algorithm);
  return openLoad({ semaphore, call: httpCaller(port), waitTimeoutMs }, perSecond, forMs);
}
