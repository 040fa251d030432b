/** The command line of `npm run bench`: what `--help` prints, and which options are refused. */
import { readdir, readFile } from 'node:fs/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { usage } from '../../bench/harness/usage.js';
import { suites } from '../../bench/suites.js';

const { argv } = process;
afterEach(() => {
  process.argv = argv;
  vi.restoreAllMocks();
  vi.resetModules();
});

/** Runs the program; it ends in this process, with an error instead of an exit. */
async function bench(...words: string[]): Promise<{ exitCode: unknown; printed: string }> {
  const lines: string[] = [];
  let exitCode: unknown = 'none';
  const exit = new Error('the program has ended');
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(line));
  vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(line));
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    exitCode = code ?? 0;
    throw exit;
  });
  process.argv = ['node', 'bench/run.js', ...words];
  await expect(import('../../bench/run.js')).rejects.toBe(exit);
  return { exitCode, printed: lines.join('\n') };
}

test('--help prints the usage, measures nothing and succeeds, whatever stands beside it', async () => {
  const expected = { exitCode: 0, printed: usage(suites) };
  expect(await bench('--help')).toEqual(expected);
  vi.resetModules();
  expect(await bench('mutex', '--help')).toEqual(expected);
});

test.each(['--hlep', '--reprot=latest', '-h'])(
  'the unknown option %s is refused by name, and nothing is measured',
  async (option) => {
    const { exitCode, printed } = await bench('mutex', option);
    const name = option.split('=')[0];
    expect(exitCode).toBe(1);
    expect(printed).toBe(`There is no option ${name}. \`npm run bench -- --help\` prints all options.`);
  },
);

test('a report without a run on the older Node, which its pages show too, is refused before it measures', async () => {
  vi.doMock('../../bench/harness/results.js', async (original) => ({
    ...(await original<object>()),
    lastRun: () => Promise.reject(new Error('there is no such file')),
  }));
  expect(await bench('--report')).toEqual({
    exitCode: 1,
    printed: expect.stringMatching(
      /First measure that: `npm run bench -- --node=24 mutex .*connection-pool`\.$/,
    ),
  });
  vi.doUnmock('../../bench/harness/results.js');
});

test('the usage has every suite, and exactly the options that a suite or the harness reads', async () => {
  const bench = new URL('../../bench/', import.meta.url);
  const files = (await readdir(bench, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.includes('.dist'),
  );
  const sources = await Promise.all(files.map((file) => readFile(new URL(file, bench), 'utf8')));
  const read = sources.flatMap((source) => [...source.matchAll(/flags\['(\w+)'\]/g)].map(([, name]) => name));
  const text = usage(suites);
  const described = [...text.matchAll(/^ {2}--(\w+)/gm)].map(([, name]) => name);
  expect([...new Set(described)].sort()).toEqual([...new Set(read)].sort());
  for (const { name } of suites) expect(text).toMatch(new RegExp(`[ ,]${name}(?:,|$)`, 'm'));
});
