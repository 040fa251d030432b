/** Laws beside the oracle in a scenario, over several seeds. */
import { median } from '../../harness/statistics.js';
import { laws, oracleName } from './laws/index.js';
import { scenarioOf } from './scenarios/index.js';
import type { Moment } from './simulation/client.js';
import { convergedAfter, mean, type Run, simulate } from './simulation/simulate.js';

/** Means over the seeds, as multiples of the oracle's, where nothing else is said. */
export interface Figures {
  readonly goodput: number;
  readonly worstGoodput: number;
  readonly meanTime: number;
  readonly p99: number;
  /** Refusals a second. */
  readonly overloads: number;
  readonly limit: number;
  readonly limitDeviation: number;
  readonly fairness: number;
  /** The goodput of the client that has the least of what it would have with the best limits. */
  readonly leastGoodput: number;
  /** Seconds after each change, medians; Infinity where it never was as good as the oracle. */
  readonly converged: readonly number[];
}

export interface Compared {
  readonly scenario: string;
  readonly figures: Readonly<Record<string, Figures>>;
  /** Of the first client, with the first seed. */
  readonly traces: Readonly<Record<string, readonly Moment[]>>;
}

export function compare(id: string, names: readonly string[], seeds: number): Compared {
  const scenario = scenarioOf(id);
  const best = runsOf(oracleName);
  const figures: Record<string, Figures> = {};
  const traces: Record<string, readonly Moment[]> = {
    [oracleName]: best[0]!.limits[0]!,
  };
  for (const name of names) {
    const runs = name === oracleName ? best : runsOf(name);
    figures[name] = figuresOf(runs, best);
    traces[name] = runs[0]!.limits[0]!;
  }
  return { scenario: id, figures, traces };

  function runsOf(name: string): Run[] {
    return Array.from({ length: seeds }, (_, i) => simulate(scenario, laws[name]!, i + 1));
  }
}

function figuresOf(runs: readonly Run[], best: readonly Run[]): Figures {
  const { changes = [], seconds } = runs[0]!.scenario;
  const against = (figure: (run: Run) => number) => runs.map((run, i) => figure(run) / figure(best[i]!));
  const goodputs = against((run) => run.goodput);
  return {
    goodput: mean(goodputs),
    worstGoodput: Math.min(...goodputs),
    meanTime: mean(against((run) => run.meanMs)),
    p99: mean(against((run) => run.p99Ms)),
    overloads: mean(runs.map(({ overloads }) => overloads)),
    limit: mean(runs.map(({ limit }) => limit.mean)),
    limitDeviation: mean(runs.map(({ limit }) => limit.deviation)),
    leastGoodput: mean(
      runs.map(({ goodputs }, i) => Math.min(...goodputs.map((own, j) => own / best[i]!.goodputs[j]!))),
    ),
    fairness: mean(runs.map(({ fairness }) => fairness)),
    converged: changes.map((second, i) =>
      median(runs.map((run, j) => convergedAfter(run, best[j]!, second, changes[i + 1] ?? seconds))),
    ),
  };
}

/** Good enough: 95 % of the goodput at half as much again in the slowest hundredth; several processes share fairly. */
export function passes(id: string, { goodput, p99, meanTime, fairness, leastGoodput }: Figures): boolean {
  const { clients = 1, wantedOfEach } = scenarioOf(id);
  if (clients === 1) return goodput >= 0.95 && p99 <= 1.5;
  if (wantedOfEach !== undefined) return goodput >= 0.95 && meanTime <= 4 && leastGoodput >= wantedOfEach;
  return goodput >= 0.95 && meanTime <= 4 && fairness >= 0.7;
}
