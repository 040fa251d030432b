/** Lanes as SVG. The classes are coloured by the style below: by the page's colours on the site, by the reader's in a file. */
import { endOf, type Timeline } from './lanes.js';

const width = 760;
const left = 84;
const laneHeight = 14;
const headHeight = 34;

/** The colours of a picture that stands alone. `--lane-*` are the colours of the states. */
const light =
  '--lane-text:#1f2328;--lane-waiting:#d0d7de;--lane-connecting:#bf8700;--lane-using:#1a7f37;--lane-failed:#cf222e';
const dark =
  '--lane-text:#e6edf3;--lane-waiting:#484f58;--lane-connecting:#d29922;--lane-using:#3fb950;--lane-failed:#f85149';
export const colours = { light, dark };

export const laneStyle = `
.lanes text{fill:var(--lane-text);font:12px system-ui,sans-serif}
.lanes .head{font-weight:600;font-size:14px}
.lanes .waiting{fill:var(--lane-waiting)}
.lanes .connecting{fill:var(--lane-connecting)}
.lanes .using{fill:var(--lane-using)}
.lanes .failed{fill:var(--lane-failed)}`;

/** One block of lanes per timeline, all on the same axis of time. */
export function picture(timelines: readonly Timeline[], description: string): string {
  const longestMs = Math.max(1, ...timelines.flatMap(({ lanes }) => lanes.map(endOf)));
  const x = (ms: number) => left + (ms / longestMs) * (width - left - 8);
  const parts: string[] = [];
  let y = 0;
  for (const { title, lanes, servedMs } of timelines) {
    const total = servedMs === 0 ? '' : `: last one served after ${Math.round(servedMs)} ms`;
    parts.push(`<text class="head" x="0" y="${y + 20}">${escaped(title + total)}</text>`);
    y += headHeight;
    for (const { name, spans, outcome } of lanes) {
      parts.push(`<text x="0" y="${y + 11}">${escaped(name)}</text>`);
      for (const { state, fromMs, toMs } of spans) {
        const shown = outcome === 'failed' && state === 'connecting' ? 'failed' : state;
        const wide = Math.max(0.5, x(toMs) - x(fromMs)).toFixed(1);
        parts.push(
          `<rect class="${shown}" x="${x(fromMs).toFixed(1)}" y="${y + 2}" width="${wide}" height="${laneHeight - 3}"/>`,
        );
      }
      y += laneHeight;
    }
    y += 6;
  }
  parts.push(legend(y + 14));
  const height = y + 24;
  const heads = timelines.map(({ title }) => title).join(' and ');
  return `<svg xmlns="http://www.w3.org/2000/svg" class="lanes" role="img" aria-label="${escaped(heads)}" viewBox="0 0 ${width} ${height}"><desc>${escaped(description)}</desc>${parts.join('')}</svg>`;
}

/** The picture as a file: light or dark as the reader's system is. */
export function standalone(svg: string): string {
  const style = `<style>:root{${light}}@media(prefers-color-scheme:dark){:root{${dark}}}${laneStyle}</style>`;
  return `${svg.replace('<desc>', `${style}<desc>`)}\n`;
}

function legend(y: number): string {
  return ['waiting', 'connecting', 'using', 'failed']
    .map((state, i) => {
      const x = left + i * 110;
      return `<rect class="${state}" x="${x}" y="${y - 9}" width="10" height="10"/><text x="${x + 15}" y="${y}">${state}</text>`;
    })
    .join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
