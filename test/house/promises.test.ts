/**
 * Every promise in a header is executed: its label is unique in the package, and a test names it. Support files count too, for
 * worlds and models check some promises after every step.
 */
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
const tests = (await textsBelow('test')).map(([, text]) => text).join('\n');

/** Kept by tests that do not name them yet. */
const notYet = new Set(
  'AL1 AL2 AL3 EN1 EN2 EN3 W2 W3 W4 CH1 CH3 P3 P8 P9 P12 P13 P14 P15 P16 P17 P18 K1 K2 K3 K4 M1 M2 M3 S1 S2 S3 S4 ER1 ER2 ER3 RR1 RR2 RR3 WT1 WT2 WT3 WG4 RL5 RL6 RL7 RM3 PE3 PE4 PM1 PS1 SE4'.split(
    ' ',
  ),
);

describe('promises', () => {
  test('every label is defined in one file only', () => {
    const labels = promises.map(({ label }) => label);
    expect(labels.filter((label, index) => labels.indexOf(label) !== index)).toEqual([]);
  });

  test.each(promises.filter(({ label }) => !notYet.has(label)))(
    '$label of $file is named by a test',
    ({ label }) => {
      expect(tests).toMatch(new RegExp(`\\b${label}\\b`));
    },
  );
});
