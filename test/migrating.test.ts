/** Each page of docs/migrating shows a program before and after: both are run, and print the same. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = path.join(root, 'docs/migrating');
let scratch = '';
beforeAll(async () => {
  // Inside of the project, so that the packages are found.
  scratch = await mkdtemp(path.join(root, 'node_modules/.cache/latchkey-migrating-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function printed(code: string, name: string): Promise<string> {
  const outfile = path.join(scratch, `${name}.mjs`);
  const { outputFiles } = await build({
    stdin: { contents: code, loader: 'ts', resolveDir: root },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    external: ['p-limit', 'p-queue', 'async-mutex', 'async-sema', 'generic-pool', 'tarn', 'p-retry'],
    alias: { latchkey: path.join(root, 'src/index.ts') },
  });
  await writeFile(outfile, outputFiles[0]?.text ?? '');
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 20_000 });
  return stdout;
}

const pages = (await readdir(folder)).filter((name) => name.endsWith('.md'));

test('there is a page for each of the packages that people come from', () => {
  const packages = ['async-mutex', 'async-sema', 'generic-pool', 'p-limit', 'p-queue', 'p-retry', 'tarn'];
  expect(pages.sort()).toEqual(packages.map((name) => `${name}.md`));
});

test.each(pages)('%s: before and after print the same', async (page) => {
  const text = await readFile(path.join(folder, page), 'utf8');
  const sides = ['before', 'after'].map(
    (side) => new RegExp(`^\`\`\`ts ${side}\n([\\s\\S]*?)^\`\`\``, 'm').exec(text)?.[1] ?? '',
  );
  const [before, after] = await Promise.all(sides.map((code, i) => printed(code, `${page}-${i}`)));
  expect(before).not.toBe('');
  expect(after).toBe(before);
});
