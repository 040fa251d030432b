/** Lanes and lines as text, for a terminal. */
import type { Lane, Line, State, Timeline } from './lanes.js';

const columns = 60;
const marks: Readonly<Record<State, string>> = { waiting: '.', connecting: '=', using: '#', late: '#' };
const heights = ' ▁▂▃▄▅▆▇█';

/** One line per lane; all timelines have the same axis of time. */
export function textLanes(timelines: readonly Timeline[]): string {
  const longestMs = Math.max(1, ...timelines.map(({ endMs }) => endMs));
  const blocks = timelines.map(({ title, lanes, lines, servedMs }) => {
    const total = servedMs === 0 ? title : `${title}: last one served after ${Math.round(servedMs)} ms`;
    return [
      total,
      ...lanes.map((lane) => drawnLane(lane, columns / longestMs)),
      ...lines.map((line) => drawnLine(line, longestMs, mostOf(timelines, line.name))),
    ].join('\n');
  });
  const scale = `${columns} columns are ${Math.round(longestMs)} ms`;
  const legend = timelines.some(({ lanes }) => lanes.length > 0)
    ? `. waiting  = connecting  # using  x failed; ${scale}`
    : scale;
  return `${blocks.join('\n\n')}\n\n${legend}`;
}

function drawnLane(lane: Lane, columnsPerMs: number): string {
  let drawn = '';
  for (const { state, toMs } of lane.spans) {
    // Every span is seen, however short it was.
    const end = Math.max(drawn.length + 1, Math.round(toMs * columnsPerMs));
    drawn = drawn.padEnd(end, marks[state]);
  }
  const isLost = lane.outcome !== undefined && lane.outcome !== 'served';
  return `  ${lane.name.padEnd(11)} ${drawn}${isLost ? 'x' : ''}`;
}

function drawnLine({ name, steps }: Line, longestMs: number, most: number): string {
  const drawn = Array.from({ length: columns }, (_, column) => {
    const atMs = ((column + 1) * longestMs) / columns;
    const value = steps.findLast(([ms]) => ms <= atMs)?.[1] ?? 0;
    return heights[Math.ceil((value / most) * (heights.length - 1))];
  });
  const own = Math.max(...steps.map(([, value]) => value));
  return `  ${name.padEnd(11)} ${drawn.join('')} at most ${own}`;
}

/** Lines of one name have one scale. */
function mostOf(timelines: readonly Timeline[], name: string): number {
  const values = timelines.flatMap(({ lines }) =>
    lines.filter((line) => line.name === name).flatMap(({ steps }) => steps.map(([, value]) => value)),
  );
  return Math.max(1, ...values);
}
