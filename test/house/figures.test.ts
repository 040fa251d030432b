/**
 * A measured figure has one source, `docs/figures.json` or a table of benchmarks.md. The pages repeat it between marks;
 * `npm run bench -- --report=latest` writes what stands between them.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  allTables,
  filled,
  namesIn,
  pagesWithFigures,
  recordedTables,
  recordFigures,
  writeFigures,
} from '../../bench/harness/page/figures.js';

const root = new URL('../..', import.meta.url);
const tables = await allTables(root);
const pages = await pagesWithFigures(root);
const read = (page: string) => readFile(new URL(page, root), 'utf8');

test.each(pages)('%s repeats every figure as its source has it', async (page) => {
  const text = await read(page);
  expect(text).toBe(filled(text, tables));
});

test('every figure of the source is on a page', async () => {
  const shown = new Set((await Promise.all(pages.map(read))).flatMap(namesIn));
  expect(Object.keys(await recordedTables(root)).filter((name) => !shown.has(name))).toEqual([]);
});

test.each(pages)('%s has no measured table beside the source', async (page) => {
  const blocks = (await read(page)).split(/\n\n+/);
  const measured = blocks.filter((block, i) => {
    const [header = ''] = block.split('\n');
    return header.startsWith('|') && `${blocks[i - 1]} ${header}`.includes('npm run bench');
  });
  const withUnit = measured.flatMap(
    (table) => unmarked(table).match(/\d ?(?:ms|us|ns|%|kB|B|x)(?![\w-])/g) ?? [],
  );
  expect(withUnit).toEqual([]);
});

/** Rows whose third column links to a recipe; the second says what was measured. */
function rowsOf(text: string): { page: string; cell: string }[] {
  const rows = text.matchAll(/^\|[^|]*\|([^|]*)\|[^|]*\]\((?:docs\/)?recipes\/([\w-]+\.md)\)/gm);
  return [...rows].map(([, cell = '', page = '']) => ({ page, cell }));
}

test.each(['README.md', 'docs/README.md'])(
  '%s says of a measurement only what its recipe says',
  async (index) => {
    const rows = rowsOf(await read(index));
    expect(rows.length).toBeGreaterThan(4);
    const strangers = await Promise.all(
      rows.map(async ({ page, cell }) => {
        const known = new Set(numbersIn(await read(`docs/recipes/${page}`)));
        return numbersIn(unmarked(cell)).flatMap((number) =>
          known.has(number) ? [] : [`${page}: ${number}`],
        );
      }),
    );
    expect(strangers.flat()).toEqual([]);
  },
);

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'latchkey-figures-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('a new measurement is written to every page that repeats it', async () => {
  const copy = pathToFileURL(`${scratch}/`);
  for (const name of ['README.md', 'docs'])
    await cp(new URL(name, root), new URL(name, copy), { recursive: true });
  const [header = [], ...rows] = tables['off-thread']!;
  const changed = [header, ...rows.map(([what = '']) => [what, '1,234 ms', '5 ms'])];
  await recordFigures({ 'off-thread': changed }, copy);
  await writeFigures(copy);
  for (const page of ['README.md', 'docs/README.md', 'docs/recipes/off-thread.md']) {
    const text = await readFile(new URL(page, copy), 'utf8');
    expect(text, page).toContain('1,234 ms');
    expect(text, page).not.toContain(rows[0]![1]);
  }
  expect(await allTables(copy)).toEqual({ ...tables, 'off-thread': changed });
});

test.each([
  ['a table that does not exist', 'nothing / row / naive'],
  ['a row that does not exist', 'off-thread / nothing / naive'],
  ['a column that does not exist', 'off-thread / time / nothing'],
  ['several rows at once', 'money-transfer / t / naive, none'],
])('%s cannot be repeated', (_what, name) => {
  expect(() => filled(`<!-- figure: ${name} -->1<!-- / -->`, tables)).toThrow(RangeError);
});

test('a figure of benchmarks.md can be repeated', () => {
  const benchmarks = {
    B1: [
      ['subject', 'vs floor'],
      ['**latchkey**', '1.05x'],
    ],
  };
  const text = 'takes <!-- figure: B1 / latchkey / vs floor -->?<!-- / --> of it';
  expect(filled(text, benchmarks)).toBe(text.replace('?', '1.05x'));
});

function unmarked(text: string): string {
  const withoutTables = text.startsWith('<!-- figures: ') ? '' : text;
  return withoutTables.replaceAll(/<!-- figure: .*?<!-- \/ -->/g, '');
}

function numbersIn(text: string): string[] {
  return text.match(/\d[\d,.]*\d|\d/g) ?? [];
}
