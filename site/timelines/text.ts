/** Lanes as text, for a terminal. */
import { endOf, type Lane, type State, type Timeline } from './lanes.js';

const columns = 60;
const marks: Readonly<Record<State, string>> = { waiting: '.', connecting: '=', using: '#' };

/** One line per lane; all timelines have the same axis of time. */
export function textLanes(timelines: readonly Timeline[]): string {
  const longestMs = Math.max(1, ...timelines.flatMap(({ lanes }) => lanes.map(endOf)));
  const blocks = timelines.map(({ title, lanes, servedMs }) => {
    const lines = lanes.map((lane) => line(lane, columns / longestMs));
    return [`${title}: last one served after ${Math.round(servedMs)} ms`, ...lines].join('\n');
  });
  return `${blocks.join('\n\n')}\n\n. waiting  = connecting  # using  x failed; ${columns} columns are ${Math.round(longestMs)} ms`;
}

function line(lane: Lane, columnsPerMs: number): string {
  let drawn = '';
  for (const { state, toMs } of lane.spans) {
    // Every span is seen, however short it was.
    const end = Math.max(drawn.length + 1, Math.round(toMs * columnsPerMs));
    drawn = drawn.padEnd(end, marks[state]);
  }
  return `  ${lane.name.padEnd(8)} ${drawn}${lane.outcome === 'failed' ? 'x' : ''}`;
}
