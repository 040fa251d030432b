/**
 * Every TypeScript block in the README and in docs/*.md is a program: it is run as it stands, and what it prints is
 * what the comments `// → …` say.
 */
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printed } from './support/program.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = ['README.md', ...(await readdir(path.join(root, 'docs'))).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'latchkey-docs-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const migrating = (await readdir(path.join(root, 'docs/migrating'))).map((name) => `docs/migrating/${name}`);

test.each([...pages, ...migrating])('%s links to nothing that is not there', async (page) => {
  const text = await readFile(path.join(root, page), 'utf8');
  for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
    await expect(access(path.resolve(root, path.dirname(page), target)), target).resolves.toBeUndefined();
  }
});

/**
 * A block that begins with the name of a recipe shows that recipe; `UPDATE_RECIPES=1` copies it there. Recipes need
 * servers, and run in their own tests.
 */
test('every recipe is run by a test', async () => {
  const folders = ['test/recipes', 'test/real', 'test/distributed', 'test'];
  const names = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(path.join(root, folder))).map((name) => path.join(root, folder, name)),
    ),
  );
  const tests = names.flat().filter((name) => name.endsWith('.test.ts'));
  const all = (await Promise.all(tests.map((name) => readFile(name, 'utf8')))).join('\n');
  for (const recipe of await readdir(path.join(root, 'docs/recipes'))) {
    expect(all).toContain(`docs/recipes/${path.basename(recipe, '.ts')}`);
  }
});

describe.each(pages)('%s', (page) => {
  test('shows the recipes as they are', async () => {
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
    )('the program at line $line runs, and prints what it says', async ({ code, i }) => {
      const told = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line);
      const output = await printed(code, path.join(scratch, `${path.basename(page)}-${i}.mjs`));
      expect(output.trimEnd()).toBe(told.join('\n'));
    });
  });
}
