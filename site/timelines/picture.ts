/** Lanes and lines as SVG. The classes are coloured by the style below: by the page's colours on the site, by the reader's in a file. */
import type { Lane, Line, Timeline } from './lanes.js';

const width = 760;
const left = 84;
const right = 12;
const headHeight = 34;
const lineHeight = 130;
const axisHeight = 34;
/** Around a picture that stands alone. */
const padding = 16;
/** More lanes than this are drawn thin. */
const mostNamedLanes = 30;

/** The colours of a picture that stands alone. `--lane-*` are the colours of the states. */
const light =
  '--lane-paper:#fff;--lane-text:#1f2328;--lane-soft:#59636e;--lane-grid:#d8dee4;--lane-waiting:#c4ccd5;--lane-connecting:#bf8700;--lane-using:#1a7f37;--lane-failed:#cf222e;--lane-line:#0969da';
const dark =
  '--lane-paper:#0d1117;--lane-text:#e6edf3;--lane-soft:#9198a1;--lane-grid:#30363d;--lane-waiting:#484f58;--lane-connecting:#d29922;--lane-using:#3fb950;--lane-failed:#f85149;--lane-line:#58a6ff';
export const colours = { light, dark };

export const laneStyle = `
.lanes text{fill:var(--lane-text);font:12px system-ui,sans-serif}
.lanes .head{font-weight:600;font-size:14px}
.lanes .soft{fill:var(--lane-soft)}
.lanes .grid{stroke:var(--lane-grid);stroke-width:1}
.lanes .waiting{fill:var(--lane-waiting)}
.lanes .connecting{fill:var(--lane-connecting)}
.lanes .using{fill:var(--lane-using)}
.lanes .failed,.lanes .late{fill:var(--lane-failed)}
.lanes .line{fill:none;stroke:var(--lane-line);stroke-width:2}
.lanes .line.second{stroke:var(--lane-connecting);stroke-dasharray:5 3}
.lanes .line.third{stroke:var(--lane-waiting)}`;

/** What a colour means, in the order of the legend. */
const meanings = { waiting: 'waiting', connecting: 'connecting', using: 'using' } as const;

/** One block per timeline, all on the same axis of time. `failed` says what red means. */
export function picture(timelines: readonly Timeline[], description: string, failed = 'failed'): string {
  const longestMs = Math.max(1, ...timelines.map(({ endMs }) => endMs));
  const x = (ms: number) => left + (Math.min(ms, longestMs) / longestMs) * (width - left - right);
  const parts: string[] = [];
  let y = 0;
  for (const { title, lanes, lines, servedMs, endMs } of timelines) {
    const total = servedMs === 0 ? '' : `: last one served after ${Math.round(servedMs)} ms`;
    parts.push(`<text class="head" x="0" y="${y + 20}">${escaped(title + total)}</text>`);
    y += headHeight;
    const laneHeight = lanes.length > mostNamedLanes ? 4 : 14;
    for (const [i, lane] of lanes.entries()) {
      parts.push(...drawnLane(lane, i, y, laneHeight, x));
      y += laneHeight;
    }
    if (lanes.length > 0) y += 6;
    if (lines.length > 0) {
      parts.push(...drawnLines(lines, y, mostOf(timelines), endMs, x));
      y += lineHeight + 6;
    }
  }
  parts.push(...axis(y, longestMs, x));
  y += axisHeight;
  if (timelines.some(({ lanes }) => lanes.length > 0)) {
    parts.push(legend(y + 12, timelines, failed));
    y += 20;
  }
  const heads = timelines.map(({ title }) => title).join(' and ');
  return `<svg xmlns="http://www.w3.org/2000/svg" class="lanes" role="img" aria-label="${escaped(`${description}: ${heads}`)}" viewBox="0 0 ${width} ${y}"><desc>${escaped(description)}</desc>${parts.join('')}</svg>`;
}

/**
 * The picture as a file: light or dark as the reader's system is. It has a background, because a page may be dark while the system is
 * light.
 */
export function standalone(svg: string): string {
  const style = `<style>:root{${light}}@media(prefers-color-scheme:dark){:root{${dark}}}${laneStyle}</style>`;
  const padded = svg.replace(/viewBox="0 0 (\d+) (\d+)"/, (_, wide: string, high: string) => {
    return `viewBox="-${padding} -${padding} ${Number(wide) + 2 * padding} ${Number(high) + 2 * padding}"`;
  });
  const paper = `<rect x="-${padding}" y="-${padding}" width="100%" height="100%" rx="6" fill="var(--lane-paper)"/>`;
  return `${padded.replace(/<desc>.*?<\/desc>/, (desc) => `${style}${desc}${paper}`)}\n`;
}

type Scale = (ms: number) => number;

function drawnLane(
  { name, spans, outcome }: Lane,
  index: number,
  y: number,
  height: number,
  x: Scale,
): string[] {
  const isNamed = height > 10 || index % 20 === 0;
  const parts = isNamed ? [`<text x="0" y="${y + (height > 10 ? 11 : 8)}">${escaped(name)}</text>`] : [];
  const gap = height > 10 ? 3 : 1;
  for (const [i, { state, fromMs, toMs }] of spans.entries()) {
    const isLost = i === spans.length - 1 && outcome !== 'served' && outcome !== undefined;
    const shown = isLost ? 'failed' : state;
    const wide = Math.max(0.5, x(toMs) - x(fromMs)).toFixed(1);
    parts.push(
      `<rect class="${shown}" x="${x(fromMs).toFixed(1)}" y="${y + 1}" width="${wide}" height="${height - gap}"/>`,
    );
  }
  return parts;
}

const looks = ['line', 'line second', 'line third'];

function drawnLines(lines: readonly Line[], top: number, most: number, endMs: number, x: Scale): string[] {
  const bottom = top + lineHeight - 8;
  const y = (value: number) => bottom - (value / most) * (lineHeight - 34);
  const parts = [0, most].flatMap((value) => [
    `<path class="grid" d="M${left} ${y(value).toFixed(1)}H${width - right}"/>`,
    `<text class="soft" x="${left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value}</text>`,
  ]);
  let legendX = left;
  for (const [i, { name, steps }] of lines.entries()) {
    const look = looks[i % looks.length]!;
    const path = steps.map(([ms, value], at) =>
      at === 0
        ? `M${x(ms).toFixed(1)} ${y(value).toFixed(1)}`
        : `H${x(ms).toFixed(1)}V${y(value).toFixed(1)}`,
    );
    parts.push(
      `<path class="${look}" data-line="${escaped(name)}" data-value="${steps.at(-1)?.[1]}" d="${path.join('')}H${x(endMs).toFixed(1)}"/>`,
    );
    parts.push(
      `<path class="${look}" d="M${legendX} ${top + 4}h18"/><text x="${legendX + 24}" y="${top + 8}">${escaped(name)}</text>`,
    );
    legendX += 44 + name.length * 7;
  }
  return parts;
}

/** The highest value of all lines, rounded up: the lines of all timelines have one scale. */
function mostOf(timelines: readonly Timeline[]): number {
  const values = timelines.flatMap(({ lines }) =>
    lines.flatMap(({ steps }) => steps.map(([, value]) => value)),
  );
  return roundUp(Math.max(1, ...values));
}

/** 1, 2 or 5 times a power of ten, or the next multiple of it. */
function roundUp(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(value / step) * step;
}

function axis(top: number, longestMs: number, x: Scale): string[] {
  const steps = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
  const stepMs = steps.find((step) => longestMs / step <= 7) ?? 20_000;
  const parts = [`<path class="grid" d="M${left} ${top + 4}H${width - right}"/>`];
  for (let ms = 0; ms <= longestMs; ms += stepMs) {
    const at = x(ms).toFixed(1);
    parts.push(`<path class="grid" d="M${at} ${top}v8"/>`);
    // The last label must not run over the edge.
    if (x(ms) < width - 40)
      parts.push(`<text class="soft" x="${at}" y="${top + 22}" text-anchor="middle">${ms} ms</text>`);
  }
  parts.push(`<text class="soft" x="0" y="${top + 22}">time</text>`);
  return parts;
}

function legend(y: number, timelines: readonly Timeline[], failed: string): string {
  const lanes = timelines.flatMap((timeline) => timeline.lanes);
  const states = new Set(lanes.flatMap(({ spans }) => spans.map(({ state }) => state)));
  const entries: [look: string, meaning: string][] = Object.entries(meanings).filter(([state]) =>
    states.has(state as keyof typeof meanings),
  );
  if (lanes.some(({ outcome }) => outcome !== undefined && outcome !== 'served'))
    entries.push(['failed', failed]);
  let x = left;
  return entries
    .map(([look, meaning]) => {
      const drawn = `<rect class="legend ${look}" x="${x}" y="${y - 9}" width="10" height="10"/><text x="${x + 15}" y="${y}">${escaped(meaning)}</text>`;
      x += 36 + meaning.length * 7;
      return drawn;
    })
    .join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
