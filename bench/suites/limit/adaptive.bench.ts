/**
 * On demand, in virtual time: every law in every scenario. `--seeds=10`, `--scenarios=a1,c1` and `--laws=vegas,elastic`
 * choose; a chart of the limit over time per scenario goes to bench/results/adaptive/, of the seconds `--zoom=29-34`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Suite } from '../../harness/subjects.js';
import { type Curve, svg } from './chart.js';
import type { Compared } from './comparison.js';
import { laws, oracleName, ourName, wellBegunName } from './laws/index.js';
import { scenarioOf, scenarios } from './scenarios/index.js';
import { printLaws, printOurs, totalOf } from './table.js';

const charts = new URL('../../../../results/adaptive/', import.meta.url);
const charted = ['vegas', 'gradient2', 'envoy', 'brpc'];
const goals = { passed: 28 / 35, goodput: 0.965, meanTime: 1.3 };

export const adaptive: Suite = {
  name: 'adaptive',
  onDemand: true,
  printsItself: true,
  async run(_measure, flags) {
    const ids = flags['scenarios']?.split(',') ?? scenarios.map(({ id }) => id);
    const asked = flags['laws']?.split(',');
    const names = asked ?? Object.keys(laws).filter((name) => name !== wellBegunName);
    const seeds = Number(flags['seeds'] ?? 3);
    for (const id of ids) scenarioOf(id);
    const compared = await compareAll(ids, names, seeds);
    printLaws(compared, names);
    if (names.includes(ourName)) {
      printOurs(compared);
      printGoals(compared);
    }
    await draw(compared, flags['zoom']?.split('-').map(Number));
    console.log(`\n${seeds} seeds; charts in bench/results/adaptive/`);
  },
};

/** A thread per core takes the next scenario when it has done the one before; the answer is in order. */
async function compareAll(
  ids: readonly string[],
  names: readonly string[],
  seeds: number,
): Promise<Compared[]> {
  const compared: Compared[] = [];
  let next = 0;
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const file = new URL('comparison.worker.js', import.meta.url);
      const worker = new Worker(file, { workerData: { names, seeds } });
      let index = -1;
      const give = () => {
        index = next++;
        const id = ids[index];
        if (id !== undefined) worker.postMessage(id);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (done: Compared) => {
        compared[index] = done;
        give();
      });
      worker.on('error', reject);
      give();
    });
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return compared;
}

function printGoals(compared: readonly Compared[]): void {
  const { passed, goodput, meanTime } = totalOf(compared, ourName);
  const lines = [
    {
      ok: passed >= Math.round(goals.passed * compared.length),
      line: `${passed} of ${compared.length} good enough`,
    },
    {
      ok: goodput >= goals.goodput,
      line: `mean goodput ${(100 * goodput).toFixed(1)} % of the oracle (>= 96.5 %)`,
    },
    { ok: meanTime <= goals.meanTime, line: `round trips ${meanTime.toFixed(2)}x of the oracle (<= 1.3x)` },
  ];
  for (const { ok, line } of lines) console.log(`${ok ? 'ok  ' : 'MISS'} ElasticLimit: ${line}`);
}

async function draw(compared: readonly Compared[], zoom: readonly number[] = []): Promise<void> {
  await mkdir(charts, { recursive: true });
  for (const { scenario, traces } of compared) {
    const { what, seconds } = scenarioOf(scenario);
    const wanted = [ourName, ...charted, oracleName].filter((name) => name in traces);
    const curves = wanted.map((name): Curve => {
      const style = name === ourName ? 'main' : name === oracleName ? 'oracle' : 'rival';
      return { name: name === ourName ? 'ElasticLimit' : name, points: traces[name]!, style };
    });
    const title = `${scenario}: ${what}`;
    const [from = 0, until = seconds] = zoom;
    // Phases are shorter than what can be seen in a minute.
    const phases = zoom.length === 0 ? [] : traces[ourName];
    const chart = svg({ title, fromMs: from * 1_000, untilMs: until * 1_000, curves, phases });
    await writeFile(new URL(`${scenario}.svg`, charts), chart);
  }
}
