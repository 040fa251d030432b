/**
 * A backend that is disturbed for a while. Each contender is compared, phase by phase, with the best fixed limit of each
 * phase. That limit runs in the same way, right before the adaptive law of this package, so that drift affects both equally.
 */
import type { LimitAlgorithm } from 'latchkey';
import { aligned } from '../../../harness/report.js';
import { contenders, fixed } from './limits.js';
import { figuresOf, followedAfterMs, type Notes, type PhaseFigures } from './load.js';

export interface Disturbed {
  readonly title: string;
  /** The names of its three phases. */
  readonly names: readonly [string, string, string];
  /** The fixed limits of the sweep. */
  readonly swept: readonly number[];
  load(algorithm: LimitAlgorithm, forMs: number): Promise<Notes>;
  /** @returns a function that ends the disturbance. */
  disturb(): () => Promise<void>;
}

interface Run {
  readonly name: string;
  readonly notes: Notes;
  readonly startedMs: number;
}

interface Row {
  readonly name: string;
  readonly phases: readonly (PhaseFigures & { readonly followedMs: number })[];
}

/** In seconds. Goodput and durations are measured in the rest of a phase, after a law has had time to settle. */
const plan = [
  { from: 0, settled: 3, until: 6 },
  { from: 6, settled: 11, until: 15 },
  { from: 15, settled: 20, until: 24 },
] as const;
const sweep = { settlingMs: 300, measuredMs: 2_000 };

export async function comparePhases(backend: Disturbed): Promise<void> {
  const limits = { calm: await bestFixed(backend), disturbed: 0 };
  const calmDown = backend.disturb();
  limits.disturbed = await bestFixed(backend);
  await calmDown();
  const { elastic, ...others } = contenders;
  const runs: Run[] = [];
  for (const [name, makeLimit] of Object.entries(others)) {
    runs.push(await threePhases(backend, name, makeLimit));
  }
  const best = await threePhases(backend, 'best fixed', switched(limits));
  runs.push(await threePhases(backend, 'elastic', elastic));
  const bestPhases = plan.map((phase) => measured(best, phase));
  const rows = [best, ...runs].map((run) => rowOf(run, bestPhases));
  console.log(`\n${backend.title}`);
  printPhases(backend.names, rows);
  printVerdict(rows, bestPhases);
}

/** The lowest limit with 97 % of the highest goodput, because calls wait least with it. */
async function bestFixed({ swept, load }: Disturbed): Promise<number> {
  const tried: { limit: number; goodput: number }[] = [];
  for (const limit of swept) {
    const fromMs = performance.now() + sweep.settlingMs;
    const notes = await load(fixed(limit), sweep.settlingMs + sweep.measuredMs);
    tried.push({ limit, goodput: figuresOf(notes, fromMs, fromMs + sweep.measuredMs).goodput });
  }
  const highest = Math.max(...tried.map(({ goodput }) => goodput));
  return Math.min(...tried.filter(({ goodput }) => goodput >= 0.97 * highest).map(({ limit }) => limit));
}

/** Only the best fixed limit knows the current phase. */
async function threePhases(
  backend: Disturbed,
  name: string,
  makeLimit: (isDisturbed: () => boolean) => LimitAlgorithm,
): Promise<Run> {
  let isDisturbed = false;
  const startedMs = performance.now();
  const until = (second: number) =>
    new Promise((resolve) => setTimeout(resolve, startedMs + second * 1_000 - performance.now()));
  const running = backend.load(
    makeLimit(() => isDisturbed),
    plan[2].until * 1_000,
  );
  await until(plan[1].from);
  isDisturbed = true;
  const calmDown = backend.disturb();
  await until(plan[1].until);
  isDisturbed = false;
  await calmDown();
  return { name, notes: await running, startedMs };
}

const switched = (limits: { calm: number; disturbed: number }) => (isDisturbed: () => boolean) => ({
  get limit() {
    return isDisturbed() ? limits.disturbed : limits.calm;
  },
  onSample() {},
});

function rowOf(run: Run, best: readonly PhaseFigures[]): Row {
  const phases = plan.map((phase, i) => {
    const [fromMs, untilMs] = [phase.from, phase.until].map((second) => run.startedMs + second * 1_000);
    return { ...measured(run, phase), followedMs: followedAfterMs(run.notes, fromMs!, untilMs!, best[i]!) };
  });
  return { name: run.name, phases };
}

function measured({ notes, startedMs }: Run, { settled, until }: (typeof plan)[number]): PhaseFigures {
  return figuresOf(notes, startedMs + settled * 1_000, startedMs + until * 1_000);
}

function printPhases(names: readonly string[], rows: readonly Row[]): void {
  const header = ['limit', 'phase', 'goodput/s', 'p50', 'p99', 'refused/s', 'left/s', 'limit', 'followed'];
  const lines = rows.flatMap(({ name, phases }) =>
    phases.map((phase, i) => [i === 0 ? name : '', names[i]!, ...cells(phase)]),
  );
  console.log(aligned([header, ...lines], false));
}

/** Goodput of 95 % of the best and a p99 of 1.5 times, and followed within five seconds. */
function printVerdict(rows: readonly Row[], best: readonly PhaseFigures[]): void {
  for (const { name, phases } of rows) {
    const shares = phases.map(({ goodput }, i) => goodput / best[i]!.goodput);
    const p99s = phases.map(({ p99Ms }, i) => p99Ms / best[i]!.p99Ms);
    const slowestMs = Math.max(...phases.map(({ followedMs }) => followedMs));
    const ok = Math.min(...shares) >= 0.95 && Math.max(...p99s) <= 1.5 && slowestMs <= 5_000;
    const told = shares
      .map((share, i) => `${Math.round(100 * share)} % at p99 ${p99s[i]!.toFixed(1)}x`)
      .join(', ');
    console.log(`${ok ? 'ok  ' : 'MISS'} ${name}: ${told}`);
  }
}

function cells({ goodput, p50Ms, p99Ms, refused, shed, limit, followedMs }: Row['phases'][number]): string[] {
  const [goodputs, refusals, departures] = [goodput, refused, shed].map((value) =>
    Math.round(value).toLocaleString('en-US'),
  ) as [string, string, string];
  return [
    goodputs,
    `${Math.round(p50Ms)} ms`,
    `${Math.round(p99Ms)} ms`,
    refusals,
    departures,
    limit.toFixed(1),
    followedMs === Infinity ? 'never' : `${(followedMs / 1_000).toFixed(1)} s`,
  ];
}
