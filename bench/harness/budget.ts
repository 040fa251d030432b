/**
 * A budget is what a row may cost, in multiples of its floor: the ratio measured when the budget was last accepted. A row is
 * over it when its median exceeds the budget's by more than the noise: the quartile distances of both, as they were
 * measured, and never less than 2 % of the budget or 1 % of the floor. Absolute times are not compared.
 */
import type { Result } from './results.js';
import { type Spread, spreadOf } from './statistics.js';

export interface Row {
  readonly suite: string;
  readonly table: string;
  readonly name: string;
}

export interface Budget extends Row {
  readonly ratio: number;
  /** Its quartiles. */
  readonly low: number;
  readonly high: number;
}

export interface MeasuredRow extends Row {
  readonly ratio: Spread;
}

export interface Verdict extends Row {
  /** `new` has no budget yet; `gone` has a budget, and nothing was measured. */
  readonly verdict: 'ok' | 'slower' | 'faster' | 'new' | 'gone';
  readonly budget?: number;
  readonly ratio?: number;
  readonly noise?: number;
}

const leastShare = 0.02;
const leastOfFloor = 0.01;

/** Our own rows that have a floor, or that grow; runs of the same row are one row with the rounds of all. */
export function rowsOf(results: readonly Result[]): MeasuredRow[] {
  const rows: { row: Row; rounds: number[] }[] = [];
  for (const { suite, title: table, rows: measured } of results) {
    for (const { name, role, versusFloor, growth } of measured) {
      const ratio = growth?.versusFloor ?? versusFloor;
      if (role !== 'latchkey' || ratio === undefined) continue;
      const row = { suite, table, name };
      const known = rows.find(({ row: other }) => isSameRow(row, other));
      if (known === undefined) rows.push({ row, rounds: [...ratio.rounds] });
      else known.rounds.push(...ratio.rounds);
    }
  }
  return rows.map(({ row, rounds }) => ({ ...row, ratio: spreadOf(rounds) }));
}

export function budgetOf({ ratio, ...row }: MeasuredRow): Budget {
  const [low, high] = ratio.quartiles;
  return { ...row, ratio: rounded(ratio.median), low: rounded(low), high: rounded(high) };
}

/** Every measured row, then the budgets without a measured row. */
export function compare(budgets: readonly Budget[], rows: readonly MeasuredRow[]): Verdict[] {
  const gone = budgets.filter((budget) => !rows.some((row) => isSameRow(row, budget)));
  return [
    ...rows.map((row) =>
      judged(
        row,
        budgets.find((budget) => isSameRow(row, budget)),
      ),
    ),
    ...gone.map(({ suite, table, name, ratio }): Verdict => {
      return { suite, table, name, budget: ratio, verdict: 'gone' };
    }),
  ];
}

function judged({ ratio, ...row }: MeasuredRow, budget: Budget | undefined): Verdict {
  if (budget === undefined) return { ...row, ratio: ratio.median, verdict: 'new' };
  const [low, high] = ratio.quartiles;
  const measuredNoise = high - low + budget.high - budget.low;
  const noise = Math.max(measuredNoise, leastShare * budget.ratio, leastOfFloor);
  const excess = ratio.median - budget.ratio;
  const verdict = excess > noise ? 'slower' : excess < -noise ? 'faster' : 'ok';
  return { ...row, ratio: ratio.median, budget: budget.ratio, noise, verdict };
}

export function isSameRow(one: Row, other: Row): boolean {
  return one.suite === other.suite && one.table === other.table && one.name === other.name;
}

function rounded(ratio: number): number {
  return Number(ratio.toPrecision(4));
}
