/** Every promise in a header is executed: its label is unique in the package, and the title of a test names it. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function textsBelow(folder: string): Promise<[file: string, text: string][]> {
  const names = await readdir(path.join(root, folder), { recursive: true });
  const files = names.filter((name) => name.endsWith('.ts') && !name.includes('.dist'));
  return Promise.all(
    files.map(
      async (file) => [file, await readFile(path.join(root, folder, file), 'utf8')] as [string, string],
    ),
  );
}

/** A line of a header that begins with a label: ` *   W1  Order: ...`. */
const labelled = /^ \* +([A-Z]{1,3}\d+) {2}/gm;

const promises = (await textsBelow('src')).flatMap(([file, text]) =>
  [...text.matchAll(labelled)].map(([, label = '']) => ({ label, file })),
);
const comment = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const text = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
/** Titles, and every other text of the tests, without comments. */
const titles = (await textsBelow('test'))
  .flatMap(([, source]) => source.replace(comment, '').match(text) ?? [])
  .join('\n');

describe('promises', () => {
  test('every label is defined in one file only', () => {
    const labels = promises.map(({ label }) => label);
    expect(labels.filter((label, index) => labels.indexOf(label) !== index)).toEqual([]);
  });

  test.each(promises)('$label of $file is named by the title of a test', ({ label }) => {
    expect(titles).toMatch(new RegExp(`\\b${label}\\b`));
  });
});
