/** The table of phases: each contender in each phase, beside the best fixed limit of that phase. */
import { aligned } from '../../report.js';
import type { PhaseFigures } from './load.js';

export interface Followed extends PhaseFigures {
  /** How long after the phase began it was as good as the best; `undefined` where that is not asked. */
  readonly followedMs: number | undefined;
}

export interface PhaseOf {
  readonly name: string;
  readonly phases: readonly Followed[];
}

/**
 * Tries fixed limits one after the other: the best has the least p99 of those with 97 % of the highest goodput, less
 * being noise in a few seconds. It is then measured anew, since the best of several is always lucky, too.
 */
export async function bestFixed(
  limits: readonly number[],
  measure: (limit: number, forMs: number) => Promise<PhaseFigures>,
): Promise<PhaseFigures> {
  const tried: { limit: number; figures: PhaseFigures }[] = [];
  for (const limit of limits) tried.push({ limit, figures: await measure(limit, 3_000) });
  const highest = Math.max(...tried.map(({ figures }) => figures.goodput));
  const { limit } = tried
    .filter(({ figures }) => figures.goodput >= 0.97 * highest)
    .reduce((best, other) => (other.figures.p99Ms < best.figures.p99Ms ? other : best));
  return measure(limit, 8_000);
}

export function printPhases(
  names: readonly string[],
  best: readonly PhaseFigures[],
  rows: readonly PhaseOf[],
): void {
  const header = ['limit', 'phase', 'goodput/s', 'p50', 'p99', 'refused/s', 'left/s', 'limit', 'followed'];
  const lines = [
    { name: 'best fixed', phases: best.map((phase) => ({ ...phase, followedMs: undefined })) },
    ...rows,
  ];
  const cells = lines.flatMap(({ name, phases }) =>
    phases.map((phase, i) => [i === 0 ? name : '', names[i]!, ...figures(phase)]),
  );
  console.log(aligned([header, ...cells], false));
}

/** Goodput of 95 % of the best and a p99 of 1.5 times, and followed within five seconds. */
export function printVerdict(rows: readonly PhaseOf[], best: readonly PhaseFigures[]): void {
  for (const { name, phases } of rows) {
    const shares = phases.map(({ goodput }, i) => goodput / best[i]!.goodput);
    const p99s = phases.map(({ p99Ms }, i) => p99Ms / best[i]!.p99Ms);
    const slowestMs = Math.max(0, ...phases.map(({ followedMs = 0 }) => followedMs));
    const ok = Math.min(...shares) >= 0.95 && Math.max(...p99s) <= 1.5 && slowestMs <= 5_000;
    const told = shares
      .map((share, i) => `${Math.round(100 * share)} % at p99 ${p99s[i]!.toFixed(1)}x`)
      .join(', ');
    console.log(`${ok ? 'ok  ' : 'MISS'} ${name}: ${told}`);
  }
}

function figures({ goodput, p50Ms, p99Ms, refused, shed, limit, followedMs }: Followed): string[] {
  const rounded = [goodput, refused, shed].map((value) => Math.round(value).toLocaleString('en-US'));
  return [
    rounded[0]!,
    `${Math.round(p50Ms)} ms`,
    `${Math.round(p99Ms)} ms`,
    rounded[1]!,
    rounded[2]!,
    limit.toFixed(1),
    followedMs === undefined
      ? ''
      : followedMs === Infinity
        ? 'never'
        : `${(followedMs / 1_000).toFixed(1)} s`,
  ];
}
