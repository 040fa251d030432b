/**
 * Every TypeScript block in README and docs/*.md is a program. The test runs it as it stands, and compares what it prints with
 * its comments `// → …`.
 */
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printed } from '../support/program.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The files of a folder whose names end so. */
async function filesOf(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(path.join(root, folder));
  return names.filter((name) => name.endsWith(ending)).map((name) => `${folder}/${name}`);
}

const recipes = await filesOf('docs/recipes', '.ts');
const pages = ['README.md', ...(await filesOf('docs', '.md')), ...(await filesOf('docs/recipes', '.md'))];

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'latchkey-docs-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test.each([...pages, ...(await filesOf('docs/migrating', '.md'))])(
  '%s has no dead link to a file',
  async (page) => {
    const text = await readFile(path.join(root, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      await expect(access(path.resolve(root, path.dirname(page), target)), target).resolves.toBeUndefined();
    }
  },
);

test('every recipe is run by a test and shown on a page', async () => {
  const tests = (await readdir(path.join(root, 'test'), { recursive: true }))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`);
  const read = (names: string[]) =>
    Promise.all(names.map((name) => readFile(path.join(root, name), 'utf8'))).then((texts) =>
      texts.join('\n'),
    );
  const [tested, shown] = [await read(tests), await read(pages)];
  const names = recipes.map((recipe) => path.basename(recipe, '.ts'));
  expect(names.filter((name) => !tested.includes(`docs/recipes/${name}`))).toEqual([]);
  expect(names.filter((name) => !shown.includes(`\`\`\`ts recipes/${name}.ts`))).toEqual([]);
});

/**
 * A block that begins with the name of a recipe shows that recipe; `UPDATE_RECIPES=1` copies it there. Recipes need
 * servers, and run in their own tests; the naive versions run in `npm run bench -- recipes`.
 */

describe.each(pages)('%s', (page) => {
  test('shows its recipes without a difference', async () => {
    const file = path.join(root, page);
    const text = await readFile(file, 'utf8');
    let current = text;
    for (const [block, name = ''] of text.matchAll(/^```ts (recipes\/\S+)\n[\s\S]*?^```/gm)) {
      const recipe = await readFile(path.join(root, 'docs', name), 'utf8');
      current = current.replace(block, () => `\`\`\`ts ${name}\n${recipe}\`\`\``);
    }
    if (process.env['UPDATE_RECIPES']) await writeFile(file, current);
    else expect(text).toBe(current);
  });
});

for (const page of pages) {
  const text = await readFile(path.join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = '']) => code);
  if (blocks.length === 0) continue;
  describe(page, () => {
    test.each(
      blocks.map((code, i) => ({ code, line: text.slice(0, text.indexOf(code)).split('\n').length, i })),
    )('the program at line $line prints what its comments say', async ({ code, i }) => {
      const told = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line);
      const output = await printed(code, path.join(scratch, `${path.basename(page)}-${i}.mjs`));
      expect(output.trimEnd()).toBe(told.join('\n'));
    });
  });
}
