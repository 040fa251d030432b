/** Tables for people: aligned columns, figures with three digits, targets with ok or MISS. */
import type { Measured, Ratio } from './measure.js';
import type { Case, Role } from './subjects.js';

export function printTable(table: Case, rows: readonly Measured[]): void {
  const counts = [...new Set(rows.flatMap((row) => Object.keys(row.counts)))];
  const hasNaive = !table.countsOnly && rows.some(({ versusNaive }) => versusNaive !== undefined);
  const hasFloor = !table.countsOnly && rows.some(({ versusFloor }) => versusFloor !== undefined);
  const hasTarget = rows.some(({ targets }) => targets.length > 0);
  const header = [
    'subject',
    table.time ?? 'time',
    '±',
    ...counts,
    ...(hasNaive ? ['vs naive'] : []),
    ...(hasFloor ? ['vs floor'] : []),
    ...(hasTarget ? ['target'] : []),
  ];
  const lines = rows.flatMap((row) => {
    const cells = [
      label(row.role, row.name),
      duration(row.ms),
      row.rounds > 1 ? `${Math.round(row.spread * 100)}%` : '1 run',
      ...counts.map((name) => count(row.counts[name])),
      ...(hasNaive ? [speed(row.versusNaive)] : []),
      ...(hasFloor ? [times(row.versusFloor)] : []),
    ];
    const [first = '', ...more] = verdicts(row);
    const below = more.map((target) => [...cells.map(() => ''), target]);
    return hasTarget ? [[...cells, first], ...below] : [cells];
  });
  console.log(`\n${table.title}\n  ${table.shows}`);
  console.log(aligned([header, ...lines], hasTarget));
}

/** Every target of the run in one place. */
export function printTargets(results: readonly { title: string; rows: readonly Measured[] }[]): void {
  const targets = results.flatMap(({ title, rows }) =>
    rows.flatMap((row) => row.targets.map((target) => ({ title, name: row.name, ...target }))),
  );
  const missed = targets.filter(({ ok }) => !ok);
  console.log(`\nTargets: ${targets.length - missed.length} ok, ${missed.length} missed`);
  for (const { title, name, label: wanted, figure } of missed) {
    console.log(`  MISS  ${title}: ${name} ${wanted}, got ${figure}`);
  }
}

function label(role: Role, name: string): string {
  return role === 'naive' || role === 'floor' ? `${role}: ${name}` : name;
}

/** One line per target. */
function verdicts({ targets }: Measured): string[] {
  return targets.map(({ label: wanted, figure, ok }) => `${ok ? 'ok  ' : 'MISS'} ${wanted}: ${figure}`);
}

export function duration(ms: number): string {
  if (ms >= 1) return `${digits(ms)} ms`;
  if (ms >= 0.001) return `${digits(ms * 1_000)} us`;
  return `${digits(ms * 1_000_000)} ns`;
}

/** Speed is easier to read than a share of time: 98x faster rather than 0.0102x. */
function speed(ratio: Ratio | undefined): string {
  if (ratio === undefined) return '';
  const { median } = ratio;
  if (median < 1 / 1.05) return `${digits(1 / median)}x faster`;
  return median > 1.05 ? `${digits(median)}x slower` : 'same';
}

function times(ratio: Ratio | undefined): string {
  return ratio === undefined ? '' : `${digits(ratio.median)}x`;
}

function count(value: number | string | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : Math.round(value).toLocaleString('en-US');
}

function digits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The first column to the left, figures to the right; a last column of words to the left. */
export function aligned(rows: readonly (readonly string[])[], lastIsText: boolean): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const isText = (column: number) => column === 0 || (lastIsText && column === widths.length - 1);
  return rows
    .map((row) => row.map((cell, i) => (isText(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))))
    .map((cells) => `    ${cells.join('  ')}`.trimEnd())
    .join('\n');
}
