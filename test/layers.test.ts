/** What may import what: a file imports only lower ranks, never its own, and nothing imports the index. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

const ranks: string[][] = [
  ['builtin'],
  [
    'vocabulary',
    'errors',
    'clock',
    'linked-list',
    'context',
    'channels',
    'deferred-error',
    'limit/elastic/',
    'queue/ring',
  ],
  ['arguments', 'abort-listeners', 'deadlines', 'hold', 'item-source'],
  ['wait-queue', 'backoff', 'retry-budget', 'limit/', 'event-loop/', 'queue/'],
  ['mutex', 'keyed-mutex', 'semaphore', 'single-flight', 'bounded-queue'],
  ['adaptive-semaphore', 'retry', 'gather-settled', 'pool/'],
  ['distributed/'],
  ['index', 'diagnostics', 'event-loop', 'postgres', 'redis'],
];

const files = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts')).sort();
const imports = new Map<string, string[]>();
for (const file of files) {
  const text = await readFile(path.join(src, file), 'utf8');
  imports.set(
    file,
    [...text.matchAll(/(?:from|import) '([^']+)'/g)].map(([, specifier = '']) =>
      specifier.startsWith('.')
        ? path.join(path.dirname(file), specifier).replace(/\.js$/, '.ts')
        : specifier,
    ),
  );
}

/** A folder has one rank; inside it files may import each other, but not in a circle. */
function rankOf(file: string): number {
  return ranks.findIndex((names) =>
    names.some((name) => (name.endsWith('/') ? file.startsWith(name) : file === `${name}.ts`)),
  );
}

describe('layers', () => {
  test.each(files)('%s has a rank', (file) => {
    expect(rankOf(file)).toBeGreaterThanOrEqual(0);
  });

  test.each(files)('%s imports only lower ranks, or its own folder', (file) => {
    const folder = path.dirname(file);
    for (const imported of imports.get(file) ?? []) {
      if (folder !== '.' && path.dirname(imported) === folder) continue;
      expect(rankOf(imported), `${file} imports ${imported}`).toBeGreaterThanOrEqual(0);
      expect(rankOf(imported), `${file} imports ${imported}`).toBeLessThan(rankOf(file));
    }
  });

  test('values are not imported in a circle', async () => {
    const values = new Map<string, string[]>();
    for (const file of files) {
      const text = await readFile(path.join(src, file), 'utf8');
      const specifiers = [...text.matchAll(/^import (?!type )[^;]*?from '(\.[^']+)'/gm)].map(
        ([, specifier = '']) => specifier,
      );
      values.set(
        file,
        specifiers.map((specifier) => path.join(path.dirname(file), specifier).replace(/\.js$/, '.ts')),
      );
    }
    const circle = (file: string, trail: string[]): string[] | undefined => {
      if (trail.includes(file)) return [...trail, file];
      for (const next of values.get(file) ?? []) {
        const found = circle(next, [...trail, file]);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    for (const file of files) expect(circle(file, [])).toBeUndefined();
  });
});
