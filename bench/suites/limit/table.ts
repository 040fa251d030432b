/** Two tables: all laws in all scenarios, and all figures of ours. */
import { aligned } from '../../harness/report.js';
import { type Compared, type Figures, passes } from './comparison.js';
import { oracleName, ourName } from './laws/index.js';
import { scenarioOf } from './scenarios/index.js';
import { mean } from './simulation/simulate.js';

export interface Total {
  readonly passed: number;
  readonly goodput: number;
  readonly meanTime: number;
}

export function totalOf(compared: readonly Compared[], name: string): Total {
  const figures = compared.map(({ scenario, figures }) => ({ scenario, ...figures[name]! }));
  return {
    passed: figures.filter((row) => passes(row.scenario, row)).length,
    goodput: mean(figures.map(({ goodput }) => goodput)),
    meanTime: Math.exp(mean(figures.map(({ meanTime }) => Math.log(meanTime)))),
  };
}

/** Goodput in per cent of the oracle's and mean round trip in multiples of it; a star where that is good enough. */
export function printLaws(compared: readonly Compared[], names: readonly string[]): void {
  const shown = names.filter((name) => name !== oracleName);
  const rows = compared.map(({ scenario, figures }) => [
    scenario,
    ...shown.map((name) => cell(scenario, figures[name]!)),
  ]);
  const totals = shown.map((name) => totalOf(compared, name));
  console.log(
    '\nGoodput in % of the oracle / mean round trip in multiples of it. *: good enough. Last: means',
  );
  console.log(
    aligned(
      [
        ['scenario', ...shown],
        ...rows,
        [`* of ${compared.length}`, ...totals.map(({ passed }) => `${passed} `)],
        ['goodput', ...totals.map(({ goodput }) => `${(100 * goodput).toFixed(1)} `)],
        ['round trip', ...totals.map(({ meanTime }) => `${times(meanTime)} `)],
      ],
      false,
    ),
  );
}

export function printOurs(compared: readonly Compared[]): void {
  const rows = compared.map(({ scenario, figures }) => {
    const ours = figures[ourName]!;
    return [
      scenario,
      percent(ours.goodput),
      percent(ours.worstGoodput),
      times(ours.meanTime),
      times(ours.p99),
      ours.overloads.toFixed(1),
      `${ours.limit.toFixed(1)} ± ${ours.limitDeviation.toFixed(1)}`,
      ours.fairness.toFixed(2),
      percent(ours.leastGoodput),
      ours.converged.map(seconds).join(', '),
      scenarioOf(scenario).what,
    ];
  });
  const header = [
    'scenario',
    'goodput',
    'worst',
    'mean',
    'p99',
    'refused/s',
    'limit',
    'Jain',
    'least',
    'followed',
    'what',
  ];
  console.log(`\nElasticLimit, against the oracle. Followed: after each change, median`);
  console.log(aligned([header, ...rows], true));
}

function cell(scenario: string, figures: Figures): string {
  const mark = passes(scenario, figures) ? '*' : ' ';
  return `${Math.round(100 * figures.goodput)}/${times(figures.meanTime)}${mark}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function times(ratio: number): string {
  return ratio < 10 ? ratio.toFixed(1) : Math.round(ratio).toString();
}

function seconds(value: number): string {
  return value === Infinity ? 'never' : `${value.toFixed(2)} s`;
}
