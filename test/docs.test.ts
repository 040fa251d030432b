/**
 * Every TypeScript block in the README and in docs/*.md is a program: it is run as it stands, and what it prints is
 * what the comments `// → …` say.
 */
import { execFile } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = ['README.md', ...(await readdir(path.join(root, 'docs'))).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

const { exports: entries } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
/** `latchkey` and each of its sub-paths, from the sources. */
const sources = Object.fromEntries(
  Object.keys(entries)
    .filter((entry) => !entry.endsWith('.json'))
    .map((entry) => [
      path.join('latchkey', entry),
      path.join(root, 'src', entry === '.' ? 'index.ts' : `${entry}.ts`),
    ]),
);

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'latchkey-docs-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function run(code: string, name: string): Promise<string> {
  const outfile = path.join(scratch, `${name}.mjs`);
  const { outputFiles } = await build({
    stdin: { contents: code, loader: 'ts', resolveDir: root },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    alias: sources,
  });
  await writeFile(outfile, outputFiles[0]?.text ?? '');
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 20_000 });
  return stdout;
}

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
      const printed = await run(code, `${path.basename(page)}-${i}`);
      expect(printed.trimEnd()).toBe(told.join('\n'));
    });
  });
}
