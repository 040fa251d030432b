/**
 * What may import what. `src` has doors, which only re-export, and folders; a folder has one rank and imports only folders of
 * lower rank. A bench suite imports the harness, never the other way.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** From the lowest to the highest. Folders of one rank do not import each other. */
const ranks: string[][] = [
  ['runtime'],
  ['contract'],
  ['waiting'],
  ['calling'],
  [
    'locks',
    'pool',
    'retry',
    'gather',
    'queue',
    'single-flight',
    'event-loop',
    'limit/elastic',
    'overload',
    'watch',
  ],
  ['limit', 'remote-locks'],
  ['postgres', 'redis', 'machine', 'testing'],
];
const door = ranks.length;

function withoutComments(text: string): string {
  return text.replace(/\/\*\*[\s\S]*?\*\//g, '');
}

async function modulesBelow(folder: string) {
  const names = (await readdir(path.join(root, folder), { recursive: true })).sort();
  const files = names.filter((name) => name.endsWith('.ts') && !name.startsWith('.dist'));
  return new Map(
    await Promise.all(
      files.map(
        async (file) =>
          [file, withoutComments(await readFile(path.join(root, folder, file), 'utf8'))] as const,
      ),
    ),
  );
}

/** What a file imports, as paths below its root folder. */
function importsOf(file: string, text: string, pattern = /(?:from|import) '([^']+)'/g): string[] {
  // Examples in comments import the package by its name.
  const code = text.replace(/\/\*\*[\s\S]*?\*\//g, '');
  return [...code.matchAll(pattern)].map(([, specifier = '']) =>
    specifier.startsWith('.') ? path.join(path.dirname(file), specifier).replace(/\.js$/, '.ts') : specifier,
  );
}

const src = await modulesBelow('src');
const files = [...src.keys()];

function rankOf(file: string): number {
  const folder = path.dirname(file);
  return folder === '.' ? door : ranks.findIndex((folders) => folders.includes(folder));
}

describe('layers', () => {
  test.each(files)('%s imports only lower ranks, or its own folder', (file) => {
    expect(rankOf(file), 'its folder has a rank').toBeGreaterThanOrEqual(0);
    for (const imported of importsOf(file, src.get(file)!)) {
      if (path.dirname(file) !== '.' && path.dirname(imported) === path.dirname(file)) continue;
      expect(rankOf(imported), `${file} imports ${imported}`).toBeGreaterThanOrEqual(0);
      expect(rankOf(imported), `${file} imports ${imported}`).toBeLessThan(rankOf(file));
    }
  });

  test.each(files.filter((file) => rankOf(file) === door))(
    'the door %s re-exports and does nothing else',
    (file) => {
      const code = src.get(file)!;
      expect(code.replace(/export (?:type )?\{[^}]*\} from '[^']+';/g, '').trim()).toBe('');
    },
  );

  test('values are not imported in a circle', () => {
    const values = /^(?:import|export) (?!type )[^;]*?from '(\.[^']+)'/gm;
    const circle = (file: string, trail: string[]): string[] | undefined => {
      if (trail.includes(file)) return [...trail, file];
      for (const next of importsOf(file, src.get(file)!, values)) {
        const found = circle(next, [...trail, file]);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    for (const file of files) expect(circle(file, [])).toBeUndefined();
  });

  test('the bench harness imports no suite', async () => {
    const harness = await modulesBelow('bench/harness');
    const suites = [...harness].flatMap(([file, text]) =>
      importsOf(path.join('harness', file), text).filter((imported) => imported.startsWith('suites')),
    );
    expect(suites).toEqual([]);
  });
});
