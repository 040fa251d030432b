/** Writes docs/benchmarks.md and its pictures from a run, and the figures that other pages repeat. */
import { mkdir, writeFile } from 'node:fs/promises';
import type { Measured } from '../measure.js';
import { columnsOf } from '../report.js';
import { majorOf, type Result, type Run } from '../results.js';
import { type Ahead, aheadOnlyIn, whereOthersAreAhead } from './ahead.js';
import { besideHeader, besideRows } from './beside.js';
import { writeFigures } from './figures.js';
import { pictureOf } from './pictures.js';
import { closing, howToRead, meanings, onOlderNode, opening, suiteNames } from './prose.js';

const docs = new URL('../../../../../docs/', import.meta.url);

/** `older` is a run on an older Node, which is shown beside it. */
export async function writePage(run: Run, older: Run): Promise<void> {
  const suites = Object.keys(suiteNames).filter((name) => run.results.some(({ suite }) => suite === name));
  const sections: string[] = [];
  await mkdir(new URL('images/', docs), { recursive: true });
  for (const suite of suites) {
    const tables = run.results.filter((result) => result.suite === suite);
    const picture = pictureOf(suiteNames[suite] ?? suite, tables);
    const file = `images/benchmarks-${suite}.svg`;
    if (picture !== undefined) await writeFile(new URL(file, docs), picture);
    sections.push(section(suite, tables, picture === undefined ? undefined : file));
  }
  const page = [
    ...[opening(run), howToRead, goals(run.results), ahead(whereOthersAreAhead(run.results))],
    beside(run, older),
    ...[...sections, closing],
  ];
  await writeFile(new URL('benchmarks.md', docs), `${page.join('\n\n')}\n`);
  await writeFigures();
  console.log('docs/benchmarks.md, its pictures and the figures of other pages are written');
}

/** Missed goals are shown, met goals are folded. */
function goals(results: readonly Result[]): string {
  const all = results.flatMap(({ title, rows }) =>
    rows.flatMap(({ name, targets }) => targets.map((target) => ({ title, name, ...target }))),
  );
  const missed = all.filter(({ ok }) => !ok);
  const met = all.filter(({ ok }) => ok);
  const tableOf = (targets: typeof all) =>
    markdownTable(
      ['table', 'row', 'goal', 'measured'],
      targets.map(({ title, name, label, figure }) => [title, name, label, figure]),
    );
  return [
    '## Goals',
    `${met.length} of ${all.length} are met. ${missed.length === 0 ? '' : 'Missed:'}`.trim(),
    ...(missed.length === 0 ? [] : [tableOf(missed)]),
    `<details><summary>Met: ${met.length}</summary>`,
    tableOf(met),
    '</details>',
  ].join('\n\n');
}

function ahead(rows: readonly Ahead[]): string {
  return [
    '## Where other packages are better, and why',
    rows.length === 0 ? 'In this run, nowhere by more than the noise.' : aheadTable(rows),
  ].join('\n\n');
}

function aheadTable(rows: readonly Ahead[]): string {
  return markdownTable(
    ['table', 'package', 'theirs', 'ours', 'why'],
    rows.map(({ table, peer, figures, reason }) => [table, peer, ...figures, reason]),
  );
}

function beside(run: Run, older: Run): string {
  const majors = [run, older].map(({ node }) => `Node ${majorOf(node)}`) as [string, string];
  const there = aheadOnlyIn(older.results, run.results);
  return [
    `## On ${majors[1]}`,
    onOlderNode(older),
    markdownTable(besideHeader(majors), besideRows(run.results, older.results)),
    ...(there.length === 0 ? [] : [`### Better than ours on ${majors[1]} only`, aheadTable(there)]),
  ].join('\n\n');
}

function section(suite: string, tables: readonly Result[], picture: string | undefined): string {
  const name = suiteNames[suite] ?? suite;
  return [
    `## ${name}`,
    `\`npm run bench -- ${suite}\``,
    ...(picture === undefined ? [] : [`![${name}: the same figures as in the tables below](${picture})`]),
    ...tables.map((table) => [`### ${table.title}`, text(table), figuresOf(table)].join('\n\n')),
  ].join('\n\n');
}

function text({ title, shows }: Result): string {
  const meaning = meanings[title];
  return meaning === undefined ? shows : `${shows} ${meaning}`;
}

function figuresOf(table: Result): string {
  const columns = columnsOf(table);
  const cells = (row: Measured) =>
    columns.map((column, i) =>
      i === 0 && row.role === 'latchkey' ? `**${column.cell(row)}**` : column.cell(row),
    );
  return markdownTable(
    columns.map(({ name }) => name),
    table.rows.map(cells),
  );
}

function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
