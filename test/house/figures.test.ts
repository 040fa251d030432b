/** README and the index of the docs repeat figures of the recipes' pages. A figure that its page does not have is out of date. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Row {
  readonly page: string;
  readonly figures: readonly string[];
}

/** Rows of tables whose third column links to a recipe; the figures are in the second one. */
function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\|[^|]*\|([^|]*)\|[^|]*\]\((?:docs\/)?recipes\/([\w-]+\.md)\)/gm)].map(
    ([, cell = '', page = '']) => ({ page, figures: cell.match(/\d[\d,.]*\d|\d/g) ?? [] }),
  );
}

test.each(['README.md', 'docs/README.md'])('%s repeats the figures of the recipes', async (index) => {
  const rows = rowsOf(await readFile(path.join(root, index), 'utf8'));
  expect(rows.length).toBeGreaterThan(4);
  const drifted = await Promise.all(
    rows.map(async ({ page, figures }) => {
      const text = await readFile(path.join(root, 'docs/recipes', page), 'utf8');
      const known = new Set(text.match(/\d[\d,.]*\d|\d/g));
      return figures.filter((figure) => !known.has(figure)).map((figure) => `${page} has no ${figure}`);
    }),
  );
  expect(drifted.flat()).toEqual([]);
});
