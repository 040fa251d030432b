/** What users get: the files, and how many bytes of them reach a browser. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { gzippedBytes } from '../../bench/harness/bundle.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
  dependencies?: unknown;
  exports: Record<string, string | Record<string, string>>;
  main: string;
  typesVersions: { '*': Record<string, [string]> };
};

const entries = Object.entries(manifest.exports).filter(([entry]) => entry !== './package.json');

describe('package', () => {
  test('only the files that users need are published', async () => {
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
    });
    const [packed] = JSON.parse(stdout) as { files: { path: string }[] }[];
    const others = (packed?.files ?? [])
      .map((file) => file.path)
      .filter((file) => !/^dist\/.*\.(js|d\.ts)$/.test(file));
    expect(others.sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist/cjs/package.json',
      'package.json',
    ]);
  });

  test.each(entries)('%s is there as an ES module and as CommonJS, each with its types', (entry, target) => {
    const name = entry === '.' ? 'index' : path.posix.basename(entry);
    const esm = `./dist/${name}.js`;
    const cjs = `./dist/cjs/${name}.js`;
    expect(target).toEqual({ bun: esm, 'module-sync': esm, require: cjs, default: esm });
    const declarations = [esm, cjs].map((file) => file.replace(/\.js$/, '.d.ts'));
    for (const file of [esm, cjs, ...declarations])
      expect(existsSync(path.join(root, file)), file).toBe(true);
  });

  test('compilers that do not read `exports` find the same entries', () => {
    expect(manifest.main).toBe('./dist/cjs/index.js');
    const found = Object.entries(manifest.typesVersions['*']);
    const wanted = entries.filter(([entry]) => entry !== '.').map(([entry]) => entry.slice(2));
    expect(found).toEqual(wanted.map((entry) => [entry, [`./dist/cjs/${entry}.d.ts`]]));
  });

  test('there are no runtime dependencies', () => {
    expect(manifest.dependencies).toBeUndefined();
  });

  test.each([
    ['the whole core', "export * from 'latchkey'", 29.5 * 1024],
    ['KeyedMutex alone', "export { KeyedMutex } from 'latchkey'", 6.25 * 1024],
    ['Semaphore alone', "export { Semaphore } from 'latchkey'", 6 * 1024],
    ['gatherSettled alone', "export { gatherSettled } from 'latchkey'", 4 * 1024],
  ])('%s stays within its budget, minified and gzipped', async (name, code, budget) => {
    // 'neutral': a module of Node's would fail the build.
    const size = await gzippedBytes(code, { resolveDir: root, platform: 'neutral' });
    console.info(`${name}: ${size} bytes`);
    expect(size).toBeLessThanOrEqual(budget);
  });
});
