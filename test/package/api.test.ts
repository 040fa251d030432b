/** The public interface as a file: a change of it must be made on purpose. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { apiReport, exportedNames } from './api-report.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const golden = path.join(root, 'test/package/api.golden.md');

describe('public API', () => {
  test('the built declarations are the ones that were reviewed: UPDATE_API=1 rewrites the file', async () => {
    const report = await apiReport(root);
    if (process.env['UPDATE_API'] === '1') await writeFile(golden, report);
    expect(report).toBe(await readFile(golden, 'utf8'));
  });

  test('the file that every TypeScript compiles names every export', async () => {
    const used = await readFile(path.join(root, 'test/runtimes/exports.ts'), 'utf8');
    const imports = Array.from(
      used.matchAll(/import \{([^}]*)\} from '([^']*)'/g),
      ([, list = '', entry = '']) => [
        entry,
        list
          .split(',')
          .map((name) => name.trim().replace(/^type | as .*/g, ''))
          .filter((name) => name !== '')
          .sort(),
      ],
    );
    expect(new Map(imports as [string, string[]][])).toEqual(await exportedNames(root));
  });
});
