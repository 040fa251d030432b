/** Tables for people: aligned columns, figures with three digits, and a sentence that says what they show. */
import { conclusionOf } from './conclusion.js';
import { amount, count, digits, duration } from './format.js';
import type { Growth } from './growth.js';
import type { Measured } from './measure.js';
import type { Result } from './results.js';
import type { Spread } from './statistics.js';
import type { Role } from './subjects.js';
import { styled } from './terminal.js';

export interface Column {
  readonly name: string;
  cell(row: Measured): string;
}

/** Its targets are shown only when they are checked. */
export function printTable(table: Result, { withTargets = false } = {}): void {
  const { rows } = table;
  const hasTarget = withTargets && rows.some(({ targets }) => targets.length > 0);
  const columns = columnsOf(table);
  const header = [...columns.map(({ name }) => name), ...(hasTarget ? ['target'] : [])];
  const lines = rows.flatMap((row) => {
    const cells = columns.map((column) => column.cell(row));
    const [first = '', ...more] = verdicts(row);
    const below = more.map((target) => [...cells.map(() => ''), target]);
    return hasTarget ? [[...cells, first], ...below] : [cells];
  });
  const ours = new Set(rows.filter(({ role }) => role === 'latchkey').map(({ name }) => name));
  const [head = '', ...body] = aligned([header, ...lines], hasTarget).split('\n');
  console.log(`\n${styled('bold', table.title)}\n  ${table.shows}`);
  console.log(styled('dim', head));
  for (const [i, line] of body.entries())
    console.log(ours.has(lines[i]![0]!) ? styled(['bold', 'cyan'], line) : line);
  const conclusion = conclusionOf(table);
  if (conclusion !== undefined) console.log(`  ${styled('green', conclusion)}`);
}

/** Every target of the run in one place; false if one was missed. */
export function printTargets(results: readonly Result[]): boolean {
  const targets = results.flatMap(({ title, rows }) =>
    rows.flatMap((row) => row.targets.map((target) => ({ title, name: row.name, ...target }))),
  );
  const missed = targets.filter(({ ok }) => !ok);
  console.log(`\nTargets: ${targets.length - missed.length} ok, ${missed.length} missed`);
  for (const { title, name, label: wanted, figure } of missed) {
    console.log(`  ${styled('red', 'MISS')}  ${title}: ${name} ${wanted}, got ${figure}`);
  }
  return missed.length === 0;
}

/** The columns of a table, without its targets. */
export function columnsOf(table: Result): Column[] {
  const label: Column = { name: 'subject', cell: ({ role, name }) => labelled(role, name) };
  return table.sizes === undefined ? [label, ...costColumns(table)] : [label, ...growthColumns(table.sizes)];
}

function costColumns({ rows, countsOnly, ...head }: Result): Column[] {
  const counts = [...new Set(rows.flatMap((row) => Object.keys(row.counts)))];
  const hasNaive = !countsOnly && rows.some(({ versusNaive }) => versusNaive !== undefined);
  const hasFloor = !countsOnly && rows.some(({ versusFloor }) => versusFloor !== undefined);
  return [
    { name: head.time ?? 'time', cell: ({ cost }) => amount(head, cost) },
    {
      name: '±',
      cell: ({ rounds, spread }) => (rounds > 1 ? `${Math.round(spread * 100)}%` : '1 run'),
    },
    ...counts.map((name) => ({ name, cell: (row: Measured) => count(row.counts[name]) })),
    ...(hasNaive ? [{ name: 'vs naive', cell: (row: Measured) => speed(row.versusNaive) }] : []),
    ...(hasFloor ? floorColumns : []),
  ];
}

const floorColumns: readonly Column[] = [
  { name: 'vs floor', cell: ({ versusFloor }) => times(versusFloor) },
  { name: 'quartiles', cell: ({ role, versusFloor }) => (role === 'floor' ? '' : quartiles(versusFloor)) },
];

function growthColumns(sizes: readonly number[]): Column[] {
  const bySize = sizes.map((size, i) => ({
    name: `of ${size.toLocaleString('en-US')}`,
    cell: ({ growth }: Measured) => {
      const ms = growth?.perOperation[i];
      return ms === undefined ? 'too slow' : duration(ms);
    },
  }));
  return [
    ...bySize,
    { name: 'exponent', cell: ({ growth }) => exponent(growth) },
    { name: "vs floor's growth", cell: ({ growth }) => times(growth?.versusFloor) },
  ];
}

function exponent(growth: Growth | undefined): string {
  return growth === undefined ? '' : growth.exponent.median.toFixed(2);
}

function labelled(role: Role, name: string): string {
  return role === 'naive' || role === 'floor' ? `${role}: ${name}` : name;
}

/** One line per target. */
function verdicts({ targets }: Measured): string[] {
  return targets.map(({ label: wanted, figure, ok }) => `${ok ? 'ok  ' : 'MISS'} ${wanted}: ${figure}`);
}

/** Speed is easier to read than a share of time: 98x faster rather than 0.0102x. */
function speed(ratio: Spread | undefined): string {
  if (ratio === undefined) return '';
  const { median } = ratio;
  if (median < 1 / 1.05) return `${digits(1 / median)}x faster`;
  return median > 1.05 ? `${digits(median)}x slower` : 'same';
}

export function times(ratio: Spread | undefined): string {
  return ratio === undefined ? '' : `${digits(ratio.median)}x`;
}

function quartiles(ratio: Spread | undefined): string {
  return ratio === undefined || ratio.rounds.length < 2 ? '' : ratio.quartiles.map(digits).join(' to ');
}

/** Aligns the first column left, figures right, and a last column of words left. */
export function aligned(rows: readonly (readonly string[])[], lastIsText: boolean): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const isText = (column: number) => column === 0 || (lastIsText && column === widths.length - 1);
  return rows
    .map((row) => row.map((cell, i) => (isText(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))))
    .map((cells) => `    ${cells.join('  ')}`.trimEnd())
    .join('\n');
}
