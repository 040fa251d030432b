/** On demand: a real HTTP server that is asked for more than it can do, and how its requests wait. `--way=` runs one. */
import { aligned } from '../../../harness/report.js';
import type { Suite } from '../../../harness/subjects.js';
import { deadlineMs, loads, possiblePerSecond, type Served, serve, startServer } from './load.js';
import { type Way, ways } from './ways.js';

export const overloadHttp: Suite = {
  name: 'overload-http',
  onDemand: true,
  printsItself: true,
  async run(_measure, flags) {
    const wanted = (Object.keys(ways) as Way[]).filter((way) =>
      [undefined, way].includes(flags['way'] as Way),
    );
    const possible = await possiblePerSecond();
    console.log(
      `\nHTTP, ${Math.round(possible)}/s possible: answers within ${deadlineMs} ms, in % of a clairvoyant's; p50; refusals/s`,
    );
    const rows: string[][] = [];
    for (const way of wanted) {
      const cells: string[] = [];
      for (const load of loads) {
        await using server = await startServer(way);
        cells.push(cell(await serve(server.caller(), load, possible)));
      }
      rows.push([ways[way], ...cells]);
    }
    console.log(aligned([['', ...loads.map(({ name }) => name)], ...rows], true));
  },
};

function cell({ share, p50Ms, refusedPerSecond }: Served): string {
  const p50 = p50Ms === undefined ? '-' : `${Math.round(p50Ms)} ms`;
  return `${Math.round(100 * share)} %, ${p50}, ${Math.round(refusedPerSecond)}`;
}
