/** Test runners: the programs of docs/testing.md, under runners whose fake timers replace different globals. */
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { fromNpm } from './from-npm.js';
import type { Verdict } from './portable.js';
import { runProgram } from './run-program.js';
import type { Consumer, Subject } from './subject.js';

interface Runner {
  readonly name: string;
  /** The runner's program, below its package. */
  readonly program: string;
  readonly nodeArgs?: string[];
  /** Its configuration, for the test file and the folder in which the package is installed. */
  args(file: string, directory: string): string[];
}

const runners = {
  jest: {
    name: 'jest',
    program: 'bin/jest.js',
    nodeArgs: ['--experimental-vm-modules', '--no-warnings'],
    args: (file, rootDir) => [
      `--config=${JSON.stringify({ rootDir, transform: {}, testMatch: [`<rootDir>/${file}`] })}`,
    ],
  },
  vitest: {
    name: 'vitest',
    program: 'vitest.mjs',
    args: (file, directory) => ['run', '--root', directory, file],
  },
} satisfies Record<string, Runner>;

export function testRunner(name: keyof typeof runners, range: string): Subject {
  const runner: Runner = runners[name];
  return {
    name: `${name} ${range}`,
    async attempt({ directory }: Consumer) {
      const { modules, version } = await fromNpm(name, range);
      const link = join(directory, 'node_modules', name);
      // Replaced for each version.
      await rm(link, { force: true });
      await symlink(join(modules, name), link);
      const file = `${name}-${range}.test.mjs`;
      await writeFile(join(directory, file), await programOf(name));
      const startedMs = performance.now();
      const args = [
        ...(runner.nodeArgs ?? []),
        join(modules, name, runner.program),
        ...runner.args(file, directory),
      ];
      const verdict = await runTests(`${file}: fake timers move the package's timers`, args, directory);
      return { version, verdicts: [verdict], ms: performance.now() - startedMs };
    },
  };
}

async function programOf(tool: string): Promise<string> {
  const page = await readFile(resolve('docs/testing.md'), 'utf8');
  const code = new RegExp(`^\`\`\`[jt]s ${tool}\n([\\s\\S]*?)^\`\`\``, 'm').exec(page)?.[1];
  if (code === undefined) throw new Error(`docs/testing.md has no program for ${tool}`);
  return code;
}

/** Runs one test under a test runner; a runner that found no test has shown nothing. */
export async function runTests(name: string, args: string[], directory: string): Promise<Verdict> {
  const { exit, stdout, stderr } = await runProgram(process.execPath, args, directory);
  const passed = exit === 0 && /\b1 passed/.test(stripVTControlCharacters(stdout + stderr));
  return passed ? { name } : { name, error: `${exit} ${stdout}${stderr}` };
}
