/**
 * Every class and function that can be imported has a docstring on itself, and one example. Examples are programs: each is
 * type-checked, and run unless it needs a server (`ts no-run`). What it prints is what its comments `// → …` say.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportedDocs } from '../package/api-report.js';
import { printed } from '../support/program.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const declared = await exportedDocs(root);

interface Example {
  readonly title: string;
  readonly code: string;
  readonly runs: boolean;
}

const fence = /```ts( no-run)?\n([\s\S]*?)```/g;

/** The text of a docstring, without its asterisks. */
const plain = (doc: string) => doc.replaceAll(/^[ \t]*(?:\/\*\*|\*\/|\*) ?|\*\/$/gm, '');

/** The examples of a docstring: what follows each `@example`, up to the next tag. */
function examplesOf(title: string, doc: string): Example[] {
  return plain(doc)
    .split(/^@example\b/m)
    .slice(1)
    .flatMap((part) =>
      [...part.matchAll(fence)].map(([, noRun, code = '']) => ({ title, code, runs: noRun === undefined })),
    );
}

const documented = declared.map(({ entry, name, kind, doc }) => {
  const title = `${entry}: ${name}`;
  return { title, kind, doc, examples: examplesOf(title, doc) };
});
const examples = documented.flatMap((each) => each.examples);

let scratch = '';
beforeAll(async () => {
  // Inside the project, so that drivers are found.
  await mkdir(path.join(root, 'node_modules/.cache'), { recursive: true });
  scratch = await mkdtemp(path.join(root, 'node_modules/.cache/latchkey-examples-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('every exported class and function has a docstring with one example', () => {
  expect(declared.length).toBeGreaterThan(30);
  const faults = documented.flatMap(({ title, kind, doc, examples: { length } }) => {
    if (kind === 'interface' && length <= 1) return [];
    if (doc === '') return [`${title}: no docstring`];
    return length === 1 ? [] : [`${title}: ${length} examples`];
  });
  expect(faults).toEqual([]);
});

test('every example compiles under strict options', async () => {
  const files = await Promise.all(
    examples.map(async ({ title, code }, index) => {
      const file = `${index}-${title.replaceAll(/\W+/g, '-')}.ts`;
      await writeFile(path.join(scratch, file), `${code}\nexport {};\n`);
      return file;
    }),
  );
  const paths = { latchkey: [path.join(root, 'src/index.ts')], 'latchkey/*': [path.join(root, 'src/*.ts')] };
  const compilerOptions = { paths, types: ['node'], typeRoots: [path.join(root, 'node_modules/@types')] };
  const project = { extends: path.join(root, 'tsconfig.json'), compilerOptions, files, include: [] };
  await writeFile(path.join(scratch, 'tsconfig.json'), JSON.stringify(project));
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [compiler, '-p', scratch, '--noEmit']).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe('');
}, 120_000);

describe('examples', () => {
  const programs = examples.filter(({ runs }) => runs).map((each, index) => ({ ...each, index }));
  test.each(programs)('$title prints what it says', async ({ code, index }) => {
    const said = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line);
    expect(said.length, 'it prints something').toBeGreaterThan(0);
    const output = await printed(code, path.join(scratch, `${index}.mjs`), ['pg', 'redis', 'ioredis']);
    expect(output.trimEnd()).toBe(said.join('\n'));
  });
});
