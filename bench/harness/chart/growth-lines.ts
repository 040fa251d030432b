/** The cost of one operation by the number of operations at once. Both axes are logarithmic; a level line is linear growth. */
import { colours, label, logScale, picture, polyline } from './picture.js';

export interface GrowthLine {
  readonly name: string;
  readonly standing: 'ours' | 'floor' | 'other';
  readonly points: readonly (readonly [size: number, ms: number])[];
}

export interface GrowthPanel {
  readonly title: string;
  readonly lines: readonly GrowthLine[];
}

const panel = { width: 380, height: 290, left: 62, right: 242, top: 46, bottom: 238 };
const across = 'how many at once';
const upwards = 'time of one operation';
const columns = 2;
const head = 36;

export function growthLines(
  title: string,
  panels: readonly GrowthPanel[],
  written: (ms: number) => string,
): string {
  const rows = Math.ceil(panels.length / columns);
  const description = `A panel per table: ${panels.map((one) => one.title).join('; ')}. Across: ${across}. Upwards: ${upwards}. Both axes are logarithmic.`;
  const frame = {
    title,
    description,
    width: columns * panel.width,
    height: head + rows * panel.height,
    left: 16,
  };
  const body = panels.flatMap((one, i) => {
    const x = (i % columns) * panel.width;
    const y = head + Math.floor(i / columns) * panel.height;
    return [`<g transform="translate(${x} ${y})">`, ...drawn(one, written), '</g>'];
  });
  return picture(frame, body);
}

function drawn({ title, lines }: GrowthPanel, written: (ms: number) => string): string[] {
  const sizes = [...new Set(lines.flatMap(({ points }) => points.map(([size]) => size)))];
  const times = lines.flatMap(({ points }) => points.map(([, ms]) => ms));
  const low = Math.min(...times) / 1.2;
  const high = Math.max(...times) * 1.2;
  const x = logScale(Math.min(...sizes), Math.max(...sizes), panel.left, panel.right);
  const y = logScale(low, high, panel.bottom, panel.top);
  const others = lines.filter(({ standing }) => standing === 'other');
  const ends = apart(lines.map(({ points }) => y(points.at(-1)![1])));
  return [
    label(16, 16, title, { fill: colours.text, bold: true }),
    label(16, 34, upwards),
    label((panel.left + panel.right) / 2, panel.bottom + 36, across, { anchor: 'middle' }),
    ...levels(low, high).map((ms) => level(y(ms), written(ms))),
    ...sizes.map((size) =>
      label(x(size), panel.bottom + 18, size.toLocaleString('en-US'), { anchor: 'middle' }),
    ),
    ...lines.flatMap((line, i) => {
      const colour = colourOf(line, others.indexOf(line));
      const points = line.points.map(([size, ms]) => [x(size), y(ms)]);
      const [endX] = points.at(-1)!;
      const width = line.standing === 'ours' ? 2.4 : 1.4;
      const dashes = line.standing === 'floor' ? ' stroke-dasharray="5 4"' : '';
      return [
        `<path d="${polyline(points)}" fill="none" stroke="${colour}" stroke-width="${width}"${dashes}/>`,
        label(endX! + 6, ends[i]! + 4, line.name, { fill: colour, bold: line.standing === 'ours' }),
      ];
    }),
  ];
}

/** Moves labels down until none lies on another. */
function apart(heights: readonly number[]): number[] {
  const least = 13;
  const placed = [...heights];
  const downwards = placed.map((_, i) => i).sort((one, other) => heights[one]! - heights[other]!);
  for (const [n, i] of downwards.entries()) {
    const above = downwards[n - 1];
    if (above !== undefined) placed[i] = Math.max(placed[i]!, placed[above]! + least);
  }
  return placed;
}

function level(y: number, text: string): string {
  const grid = `<path d="M${panel.left} ${y.toFixed(1)}H${panel.right}" stroke="${colours.grid}"/>`;
  return `${grid}${label(panel.left - 6, y + 4, text, { anchor: 'end' })}`;
}

function colourOf({ standing }: GrowthLine, index: number): string {
  if (standing === 'ours') return colours.ours;
  return standing === 'floor' ? colours.reference : colours.others[index % colours.others.length]!;
}

/** Powers of ten, or finer steps if there would be too few. */
function levels(low: number, high: number): number[] {
  const steps = high / low > 200 ? [1] : high / low > 20 ? [1, 3] : [1, 2, 5];
  const decades = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];
  return decades
    .flatMap((decade) => steps.map((step) => step * decade))
    .filter((ms) => ms >= low && ms <= high);
}
