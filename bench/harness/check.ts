/**
 * `npm run bench -- --check`: compares our own rows, as multiples of their floors, with bench/budgets.json. Each suite runs in
 * several processes, because two processes compile the same code in different ways, and differ by more than two rounds of
 * one. A row that looks slower is measured again before it is reported. `--check --update` accepts the new measurements.
 */
import { readFile, writeFile } from 'node:fs/promises';
import {
  type Budget,
  budgetOf,
  compare,
  isSameRow,
  type MeasuredRow,
  rowsOf,
  type Verdict,
} from './budget.js';
import { digits } from './format.js';
import { aligned } from './report.js';
import { type Machine, type Result, thisMachine } from './results.js';
import type { Suite } from './subjects.js';
import { runSuite } from './suite-process.js';

interface Committed extends Pick<Machine, 'node' | 'commit' | 'date'> {
  readonly processes: number;
  readonly budgets: readonly Budget[];
}

export interface CheckTerms {
  readonly suites: readonly Suite[];
  readonly filters: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
}

const file = new URL('../../../budgets.json', import.meta.url);
const defaultProcesses = { check: 3, update: 7 };

/** False if a row is over its budget, or has a budget and was not measured. */
export async function check(terms: CheckTerms): Promise<boolean> {
  const processes = Number(terms.flags['processes'] ?? defaultProcesses.check);
  const committed = await readBudgets();
  warnOfOtherNode(committed.node);
  const { budgets } = committed;
  const first = askedFor(terms, compare(budgets, await measureRows(terms, processes)));
  const slower = first.filter(({ verdict }) => verdict === 'slower');
  if (slower.length === 0) return report(first);

  console.log(`${named(slower)}\nlook slower, and are measured again.`);
  const suspects = new Set(slower.map(({ suite }) => suite));
  const suites = terms.suites.filter(({ name }) => suspects.has(name));
  const second = compare(budgets, await measureRows({ ...terms, suites }, processes));
  return report(
    first.map((row) =>
      row.verdict === 'slower' ? (second.find((other) => isSameRow(row, other)) ?? row) : row,
    ),
  );
}

/** A whole run replaces all budgets. A filtered run replaces the budgets of the rows that it measured. */
export async function updateBudgets(terms: CheckTerms): Promise<void> {
  const processes = Number(terms.flags['processes'] ?? defaultProcesses.update);
  const measured = (await measureRows(terms, processes)).map(budgetOf);
  const known = terms.filters.length === 0 ? [] : (await readBudgets()).budgets;
  const untouched = known.filter((budget) => !measured.some((row) => isSameRow(row, budget)));
  const budgets = [...untouched, ...measured];
  const { node, commit, date } = thisMachine();
  const committed: Committed = { node, commit, date, processes, budgets };
  await writeFile(file, `${JSON.stringify(committed, undefined, 2)}\n`);
  console.log('bench/budgets.json is written');
}

async function measureRows(terms: CheckTerms, processes: number): Promise<MeasuredRow[]> {
  const { suites, filters, flags } = terms;
  const results: Result[] = [];
  for (let run = 1; run <= processes; run++) {
    for (const { name: suite, nodeFlags } of suites) {
      console.log(`process ${run} of ${processes}: ${suite}`);
      await runSuite({ suite, nodeFlags, filters, flags, againstFloorOnly: true }, (result) =>
        results.push(result),
      );
    }
  }
  return rowsOf(results);
}

/** When single tables are checked, the rows of other tables do not count as gone. */
function askedFor({ filters }: CheckTerms, verdicts: readonly Verdict[]): readonly Verdict[] {
  return filters.length === 0 ? verdicts : verdicts.filter(({ verdict }) => verdict !== 'gone');
}

function report(verdicts: readonly Verdict[]): boolean {
  const header = ['row', 'budget', 'noise', 'measured', 'verdict'];
  const lines = verdicts.map(({ table, name, budget, noise, ratio, verdict }) => [
    `${table}: ${name}`,
    figure(budget),
    noise === undefined ? '' : `±${digits(noise)}`,
    figure(ratio),
    verdict,
  ]);
  console.log(`\n${aligned([header, ...lines], true)}`);
  const bad = verdicts.filter(({ verdict }) => verdict === 'slower' || verdict === 'gone');
  if (bad.length > 0) console.error(`\nOver their budget, or gone:\n${named(bad)}`);
  const better = verdicts.filter(({ verdict }) => verdict === 'faster');
  if (better.length > 0) console.log(`\nFaster than their budget, which could be tighter:\n${named(better)}`);
  return bad.length === 0;
}

function named(verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ table, name, budget, ratio }) => `  ${table}: ${name}, ${figure(budget)} -> ${figure(ratio)}`)
    .join('\n');
}

function figure(ratio: number | undefined): string {
  return ratio === undefined ? '-' : `${digits(ratio)}x`;
}

function warnOfOtherNode(node: string): void {
  if (major(node) === major(process.version)) return;
  console.log(`The budgets were measured on Node ${node}; on ${process.version} the floors are others.`);
}

function major(version: string): string | undefined {
  return /^v(\d+)/.exec(version)?.[1];
}

async function readBudgets(): Promise<Committed> {
  return JSON.parse(await readFile(file, 'utf8'));
}
