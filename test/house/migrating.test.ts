/** Each page of docs/migrating shows a program before and after: both are run, and print the same. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printed } from '../support/program.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = path.join(root, 'docs/migrating');
const packages = ['async-mutex', 'async-sema', 'generic-pool', 'p-limit', 'p-queue', 'p-retry', 'tarn'];
let scratch = '';
beforeAll(async () => {
  // Inside of the project, so that the packages are found.
  scratch = await mkdtemp(path.join(root, 'node_modules/.cache/latchkey-migrating-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const pages = (await readdir(folder)).filter((name) => name.endsWith('.md'));

test('there is a page for each of the packages that people come from', () => {
  expect(pages.sort()).toEqual(packages.map((name) => `${name}.md`));
});

test.each(pages)('%s: before and after print the same', async (page) => {
  const text = await readFile(path.join(folder, page), 'utf8');
  const sides = ['before', 'after'].map(
    (side) => new RegExp(`^\`\`\`ts ${side}\n([\\s\\S]*?)^\`\`\``, 'm').exec(text)?.[1] ?? '',
  );
  const [before, after] = await Promise.all(
    sides.map((code, i) => printed(code, path.join(scratch, `${page}-${i}.mjs`), packages)),
  );
  expect(before).not.toBe('');
  expect(after).toBe(before);
});
