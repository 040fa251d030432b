/**
 * `docs/figures.json` holds the measured figures of README and docs; `docs/benchmarks.md` holds those of its own tables.
 * Every page repeats them in one of two forms, and `--report` writes both:
 *
 * - a whole table, after `<!-- figures: NAME -->`;
 * - one figure in a sentence: `<!-- figure: NAME / ROW / COLUMN -->481<!-- / -->`. NAME is a table of the file, or the heading above a
 *   table in benchmarks.md; ROW is the first cell of the row, or how it alone
 *   begins. `COLUMN / 2` is the second of several in a cell.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';

/** The rows of a table, as they stand on the page. The first is its header. */
export type FigureTable = readonly (readonly string[])[];
export type FigureTables = Readonly<Record<string, FigureTable>>;

const root = new URL('../../../../../', import.meta.url);
const file = 'docs/figures.json';
const place = /(<!-- figure: (.+?) \/ (.+?) \/ (.+?)(?: \/ (\d))? -->).*?<!-- \/ -->/g;
const tablePlace = /(<!-- figures: (.+?) -->\n)(?:\|.*\n)*/g;

/** Writes every figure of every page. */
export async function writeFigures(from: URL = root): Promise<void> {
  const tables = await allTables(from);
  for (const page of await pagesWithFigures(from)) {
    const text = await readFile(new URL(page, from), 'utf8');
    const now = filled(text, tables);
    if (now !== text) await writeFile(new URL(page, from), now);
  }
}

/** Puts measured tables into the file. */
export async function recordFigures(measured: FigureTables, from: URL = root): Promise<void> {
  const all = { ...(await recordedTables(from)), ...measured };
  const names = Object.keys(all).sort();
  const texts = names.map((name) => {
    const rows = all[name]!.map((cells) => `    ${JSON.stringify(cells)}`);
    return `  ${JSON.stringify(name)}: [\n${rows.join(',\n')}\n  ]`;
  });
  await writeFile(new URL(file, from), `{\n${texts.join(',\n')}\n}\n`);
}

export async function allTables(from: URL = root): Promise<FigureTables> {
  const benchmarks = await readFile(new URL('docs/benchmarks.md', from), 'utf8');
  return { ...tablesOf(benchmarks), ...(await recordedTables(from)) };
}

export async function recordedTables(from: URL = root): Promise<FigureTables> {
  return JSON.parse(await readFile(new URL(file, from), 'utf8'));
}

/** README, and every page of the docs that no other command writes. */
export async function pagesWithFigures(from: URL = root): Promise<string[]> {
  const names = await readdir(new URL('docs/', from), { recursive: true });
  const pages = names.filter((name) => name.endsWith('.md') && name !== 'benchmarks.md');
  return ['README.md', ...pages.sort().map((name) => `docs/${name}`)];
}

/** The page with the figures that the tables have now. */
export function filled(text: string, tables: FigureTables): string {
  return text
    .replace(tablePlace, (_, comment, name) => `${comment}${markdown(tableNamed(tables, name))}\n`)
    .replace(place, (_, comment, name, row, column, part) => {
      const cell = cellOf(tableNamed(tables, name), row, column);
      if (cell === undefined) throw new RangeError(`no single figure is named by ${comment}`);
      return `${comment}${part === undefined ? cell : cell.split(', ')[part - 1]}<!-- / -->`;
    });
}

/** The names of the tables that a page shows or quotes. */
export function namesIn(text: string): string[] {
  return [...text.matchAll(tablePlace), ...text.matchAll(place)].map(([, , name = '']) => name);
}

/** Undefined, if several rows begin so and none is called so. */
function cellOf([header = [], ...rows]: FigureTable, row: string, column: string): string | undefined {
  const begins = rows.filter(([first = '']) => bare(first).startsWith(row));
  const found = begins.length === 1 ? begins : begins.filter(([first = '']) => bare(first) === row);
  const index = header.findIndex((cell) => bare(cell) === column);
  return found.length === 1 ? found[0]![index] : undefined;
}

function tableNamed(tables: FigureTables, name: string): FigureTable {
  const table = tables[name];
  if (table === undefined) throw new RangeError(`no table of figures is called ${name}`);
  return table;
}

/** The tables of a page by the titles above them. */
function tablesOf(page: string): FigureTables {
  const sections = page.split(/^##+ /m).slice(1);
  return Object.fromEntries(
    sections.map((section) => {
      const [title = '', ...lines] = section.split('\n');
      const rows = lines.filter((line) => line.startsWith('|') && !line.startsWith('| ---'));
      return [title, rows.map((line) => line.slice(2, -2).split(' | '))];
    }),
  );
}

function markdown([header = [], ...rows]: FigureTable): string {
  return [header, header.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |').replaceAll('|  |', '| |'))
    .join('\n');
}

function bare(cell: string): string {
  return cell.replaceAll(/[`*]/g, '');
}
