/** The limit over time: a logarithmic axis, a line per law. */
import { escaped, colours as ink, logScale, picture, polyline } from '../../harness/chart/picture.js';

export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly atMs: number; readonly limit: number }[];
  /** The lines behind the others: thin, or dashed for what nobody can know. */
  readonly style: 'main' | 'rival' | 'oracle';
}

export interface Chart {
  readonly title: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly curves: readonly Curve[];
  /** The phases of our law, drawn as a band above the curves. */
  readonly phases?:
    | readonly { readonly atMs: number; readonly phase?: string | number | undefined }[]
    | undefined;
}

const phaseColours: Readonly<Record<string, string>> = {
  base: ink.grid,
  probe: ink.others[0],
  cut: ink.others[3],
  drain: ink.others[4],
};
const band = { top: 52, height: 8 };

const size = { width: 760, height: 332 };
const plot = { left: 52, right: 744, top: 70, bottom: 282 };
const mostPoints = 346;

export function svg({ title, fromMs, untilMs, curves, phases = [] }: Chart): string {
  const drawn = curves.map((curve) => ({ ...curve, points: thinned(curve.points, fromMs, untilMs) }));
  const limits = drawn.flatMap(({ points }) => points.map(({ limit }) => limit));
  const low = Math.min(...limits) / 1.15;
  const high = Math.max(...limits) * 1.15;
  const x = (atMs: number) => plot.left + ((atMs - fromMs) / (untilMs - fromMs)) * (plot.right - plot.left);
  const y = logScale(low, high, plot.bottom, plot.top);
  const colour = colours(curves);
  const lines = drawn
    .map((curve) => ({ curve, path: polyline(curve.points.map(({ atMs, limit }) => [x(atMs), y(limit)])) }))
    .sort((one, other) => rank(one.curve) - rank(other.curve))
    .map(({ curve, path }) => `<path d="${path}" ${stroke(curve, colour(curve))}/>`);
  const names = curves.map(({ name }) => name).join(', ');
  const description = `The limit over time, logarithmic, a line per law: ${names}.`;
  return picture({ ...size, title, description, left: plot.left }, [
    `<text x="${plot.left - 8}" y="${plot.top - 6}" text-anchor="end" fill="${ink.label}">limit</text>`,
    timeLabel((plot.left + plot.right) / 2, 'time', 36),
    ...legend(curves, colour),
    ...phaseBand(phases, fromMs, untilMs, x),
    ...limitTicks(low, high).map((limit) => gridLine(plot.left, plot.right, y(limit), String(limit))),
    ...timeTicks(fromMs, untilMs).map((atMs) => timeLabel(x(atMs), `${atMs / 1_000} s`)),
    ...lines,
  ]);
}

/** Steps where every point can be seen, means where there are too many. */
function thinned(points: Curve['points'], fromMs: number, untilMs: number): Curve['points'] {
  const within = points.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs);
  const perPoint = Math.ceil(within.length / mostPoints);
  if (perPoint > 1) {
    return Array.from({ length: Math.ceil(within.length / perPoint) }, (_, i) => {
      const group = within.slice(i * perPoint, (i + 1) * perPoint);
      const limit = group.reduce((sum, point) => sum + point.limit, 0) / group.length;
      return { atMs: group[0]!.atMs, limit };
    });
  }
  return within.flatMap((point, i) => {
    const next = within[i + 1];
    return next === undefined ? [point] : [point, { atMs: next.atMs, limit: point.limit }];
  });
}

function colours(curves: readonly Curve[]) {
  const rivals = curves.filter(({ style }) => style === 'rival');
  return (curve: Curve) => {
    if (curve.style === 'main') return ink.ours;
    if (curve.style === 'oracle') return ink.reference;
    const index = rivals.findIndex(({ name }) => name === curve.name);
    return ink.others[index % ink.others.length]!;
  };
}

function rank({ style }: Curve): number {
  return ['rival', 'oracle', 'main'].indexOf(style);
}

function stroke({ style }: Curve, colour: string): string {
  const width = style === 'main' ? 2.2 : 1.3;
  const dashes = style === 'oracle' ? ' stroke-dasharray="6 4"' : '';
  return `fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round"${dashes}`;
}

function legend(curves: readonly Curve[], colour: (curve: Curve) => string): string[] {
  let left = plot.left;
  return curves.map((curve) => {
    const start = left;
    left += 40 + curve.name.length * 7.2;
    const line = `<path d="M${start} 38h20" ${stroke(curve, colour(curve))}/>`;
    return `${line}<text x="${start + 25}" y="42" fill="${ink.text}">${escaped(curve.name)}</text>`;
  });
}

function gridLine(from: number, until: number, y: number, label: string): string {
  const line = `<path d="M${from} ${y.toFixed(1)}H${until}" stroke="${ink.grid}"/>`;
  return `${line}<text x="${from - 8}" y="${(y + 4).toFixed(1)}" text-anchor="end" fill="${ink.label}">${label}</text>`;
}

function timeLabel(x: number, label: string, below = 20): string {
  return `<text x="${x.toFixed(1)}" y="${plot.bottom + below}" text-anchor="middle" fill="${ink.label}">${label}</text>`;
}

/** 1, 2, 5, 10, 20, 50, ...; finer where that leaves few. */
function limitTicks(low: number, high: number): number[] {
  const digits = high / low > 8 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
  const ticks = [1, 10, 100, 1_000].flatMap((decade) => digits.map((digit) => decade * digit));
  return ticks.filter((tick) => Number.isInteger(tick) && tick >= low && tick <= high);
}

function timeTicks(fromMs: number, untilMs: number): number[] {
  const step = [250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000].find(
    (candidate) => (untilMs - fromMs) / candidate <= 10,
  )!;
  const ticks: number[] = [];
  for (let atMs = Math.ceil(fromMs / step) * step; atMs <= untilMs; atMs += step) ticks.push(atMs);
  return ticks;
}

/** Names a phase where it is long enough for its name, and all of them in the legend. */
function phaseBand(
  phases: NonNullable<Chart['phases']>,
  fromMs: number,
  untilMs: number,
  x: (atMs: number) => number,
): string[] {
  const within = phases.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs);
  const drawn: string[] = [];
  let since = fromMs;
  for (const [i, { phase, atMs }] of within.entries()) {
    const next = within[i + 1];
    if (next?.phase === phase) continue;
    const untilPhase = next?.atMs ?? atMs;
    const wide = (x(untilPhase) - x(since)).toFixed(1);
    drawn.push(
      `<rect x="${x(since).toFixed(1)}" y="${band.top}" width="${wide}" height="${band.height}" fill="${phaseColours[String(phase)]}"/>`,
    );
    since = untilPhase;
  }
  if (drawn.length === 0) return [];
  const names = Object.entries(phaseColours).map(([name, colour], i) => {
    const left = plot.right - 250 + i * 64;
    return `<rect x="${left}" y="33" width="10" height="10" fill="${colour}"/><text x="${left + 14}" y="42" fill="${ink.text}">${name}</text>`;
  });
  return [...drawn, ...names];
}
