/**
 * The cost of each subject: a panel per table and a row per subject, the cheapest first. Multiples of a floor are dots on a
 * logarithmic axis, because a bar that does not start at zero would mislead. Amounts are bars that start at zero.
 */
import { colours, label, logScale, picture } from './picture.js';

export interface Ranked {
  readonly name: string;
  readonly standing: 'ours' | 'naive' | 'peer' | 'floor';
  readonly value: number;
  /** Half of the measured values lie between the quartiles. */
  readonly quartiles?: readonly [number, number];
  /** The text beside the mark. */
  readonly figure: string;
  /** It did not keep what was asked of it. The figure says what, in another colour. */
  readonly isBroken?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly rows: readonly Ranked[];
}

export interface Ranking {
  readonly title: string;
  /** The label of the axis. */
  readonly axis: string;
  readonly panels: readonly Panel[];
}

type Mark = (row: Ranked, y: number) => string;

interface Plot {
  readonly left: number;
  readonly right: number;
  readonly width: number;
}

/** Names stand left of the plot: it begins where the longest one ends. */
function plotOf({ panels }: Ranking): Plot {
  const longest = Math.max(...panels.flatMap(({ rows }) => rows.map(({ name }) => name.length)));
  return { left: Math.max(228, Math.ceil(longest * 7) + 30), right: 676, width: 760 };
}

const rowHeight = 18;
const panelHead = 34;
const top = 40;

/** 1 is the floor, a dark line. */
export function dots(ranking: Ranking): string {
  const plot = plotOf(ranking);
  const values = ranking.panels.flatMap(({ rows }) =>
    rows.flatMap((row) => [row.value, ...(row.quartiles ?? [])]),
  );
  const low = Math.min(1, ...values) / 1.1;
  const high = Math.max(...values) * 1.1;
  const x = logScale(low, high, plot.left, plot.right);
  const ticks = powers(low, high).map((at) => ({ at: x(at), text: `${at}x` }));
  return drawn(ranking, plot, ticks, x(1), (row, y) => {
    const [from, until] = row.quartiles ?? [row.value, row.value];
    const stroke = colourOf(row);
    const fill = row.standing === 'naive' ? colours.paper : stroke;
    const radius = row.standing === 'ours' ? 5 : 4;
    const whisker = `<path d="M${x(from).toFixed(1)} ${y}H${x(until).toFixed(1)}" stroke="${stroke}" stroke-width="2"/>`;
    return `${whisker}<circle cx="${x(row.value).toFixed(1)}" cy="${y}" r="${radius}" fill="${fill}" stroke="${stroke}" stroke-width="1.5"/>`;
  });
}

export function bars(ranking: Ranking): string {
  const plot = plotOf(ranking);
  const high = Math.max(...ranking.panels.flatMap(({ rows }) => rows.map(({ value }) => value)));
  const x = (value: number) => plot.left + (Math.max(0, value) / high) * (plot.right - plot.left);
  const step =
    [100, 200, 250, 500, 1_000, 2_000, 5_000].find((candidate) => high / candidate <= 8) ?? high / 8;
  const ticks = Array.from({ length: Math.floor(high / step) + 1 }, (_, i) => ({
    at: x(i * step),
    text: (i * step).toLocaleString('en-US'),
  }));
  return drawn(ranking, plot, ticks, plot.left, (row, y) => {
    const width = (x(row.value) - plot.left).toFixed(1);
    return `<rect x="${plot.left}" y="${y - 6}" width="${width}" height="12" fill="${colourOf(row)}"/>`;
  });
}

function drawn(
  { title, axis, panels }: Ranking,
  plot: Plot,
  ticks: readonly { at: number; text: string }[],
  zero: number,
  mark: Mark,
): string {
  const body: string[] = [];
  let y = top;
  for (const { title: panelTitle, rows } of panels) {
    body.push(label(16, y + 16, panelTitle, { fill: colours.text, bold: true }));
    const first = y + panelHead - 8;
    const last = first + rows.length * rowHeight;
    for (const { at } of ticks) body.push(upright(at, first, last, colours.grid));
    body.push(upright(zero, first, last, colours.reference));
    const sorted = [...rows].sort((one, other) => one.value - other.value);
    for (const [i, row] of sorted.entries())
      body.push(...line(row, plot, first + (i + 0.5) * rowHeight, mark));
    y = last + 8;
  }
  body.push(...ticks.map(({ at, text }) => label(at, y + 12, text, { anchor: 'middle' })));
  body.push(label(plot.width / 2, y + 32, axis, { anchor: 'middle' }));
  const description = `A row per way, a panel per table: ${panels.map((panel) => panel.title).join('; ')}. The axis: ${axis}`;
  return picture({ title, description, width: plot.width, height: y + 44, left: 16 }, body);
}

function line(row: Ranked, plot: Plot, y: number, mark: Mark): string[] {
  const bold = row.standing === 'ours';
  return [
    label(plot.left - 10, y + 4, row.name, { anchor: 'end', bold, fill: colours.text }),
    mark(row, y),
    label(plot.width - 12, y + 4, row.figure, {
      anchor: 'end',
      bold,
      fill: row.isBroken ? colours.others[3] : colours.text,
    }),
  ];
}

function upright(x: number, from: number, until: number, colour: string): string {
  return `<path d="M${x.toFixed(1)} ${from}V${until}" stroke="${colour}"/>`;
}

function colourOf({ standing }: Ranked): string {
  if (standing === 'ours') return colours.ours;
  if (standing === 'peer') return colours.others[0];
  return standing === 'floor' ? colours.part : colours.reference;
}

/** 1, 2, 5, 10, 20, ...; only 1, 10, 100 if that would be crowded. */
function powers(low: number, high: number): number[] {
  const digits = high / low > 300 ? [1] : [1, 2, 5];
  const ticks = [0.01, 0.1, 1, 10, 100, 1_000].flatMap((decade) => digits.map((digit) => digit * decade));
  return ticks.map((tick) => Number(tick.toPrecision(1))).filter((tick) => tick >= low && tick <= high);
}
