/**
 * A newcomer's first two minutes: what docs/getting-started.md says, in an empty folder for each kind of project. The examples of README
 * are pasted into the projects of JavaScript and TypeScript.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Verdict } from './portable.js';
import { runProgram } from './run-program.js';
import type { Consumer, Subject } from './subject.js';

interface File {
  readonly name: string;
  readonly text: string;
}

interface Project {
  readonly kind: string;
  readonly commands: readonly string[];
  readonly files: readonly File[];
}

export const newcomer: Subject = {
  name: 'newcomer',
  async attempt({ directory }: Consumer) {
    const packed = join(directory, 'packed');
    const [tarball = ''] = await readdir(packed);
    const startedMs = performance.now();
    const verdicts: Verdict[] = [];
    const page = await readFile(resolve('docs/getting-started.md'), 'utf8');
    const examples = examplesOf(await readFile(resolve('README.md'), 'utf8'));
    for (const project of projectsOf(page, examples))
      verdicts.push(await follow(project, join(directory, `new-${project.kind}`), join(packed, tarball)));
    const { stdout } = await runProgram('npm', ['--version'], directory);
    return { version: `npm ${stdout.trim()}`, verdicts, ms: performance.now() - startedMs };
  },
};

/** The blocks of the page: commands stand under the kind of project, files under `kind/name`. */
function projectsOf(page: string, examples: Readonly<Record<string, readonly File[]>>): Project[] {
  const blocks = [...page.matchAll(/^```(\w+) (\S+)\n([\s\S]*?)^```/gm)];
  const commands = blocks.filter(([, language]) => language === 'sh');
  return commands.map(([, , kind = '', text = '']) => ({
    kind,
    commands: text.trim().split('\n'),
    files: [
      ...blocks.flatMap(([, , name = '', file = '']) =>
        name.startsWith(`${kind}/`) ? [{ name: name.slice(kind.length + 1), text: file }] : [],
      ),
      ...(examples[kind] ?? []),
    ],
  }));
}

/** The programs of README, as they stand there; for TypeScript with what their comments say. */
function examplesOf(readme: string): Readonly<Record<string, readonly File[]>> {
  const programs = [...readme.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = '']) => code);
  return {
    javascript: programs.map((text, i) => ({ name: `readme-${i}.mjs`, text })),
    typescript: programs.map((text, i) => ({ name: `readme-${i}.ts`, text: inTypeScript(text) })),
  };
}

/** `make(); // in TypeScript: make<T>()` becomes `make<T>();`. */
function inTypeScript(program: string): string {
  return program.replaceAll(/^(.*) \/\/ in TypeScript: (.*)$/gm, (_, code: string, typed: string) => {
    const head = typed.split(/<| as /)[0]!;
    return `${code.slice(0, code.indexOf(head))}${typed}${code.endsWith(';') ? ';' : ''}`;
  });
}

async function follow({ kind, commands, files }: Project, folder: string, tarball: string): Promise<Verdict> {
  await mkdir(folder);
  for (const { name, text } of files) await writeFile(join(folder, name), text);
  // The last command starts the program of the page; the others of the folder follow.
  const others = files
    .filter(({ text }) => text.includes('// → '))
    .map(({ name }) => `node ${name.replace(/\.ts$/, '.js')}`)
    .filter((command) => command !== commands.at(-1));
  const all = [...commands, ...others];
  const startedMs = performance.now();
  let printed = '';
  for (const command of all) {
    const [program = '', ...args] = command
      .replace('npm install latchkey', `npm install ${tarball}`)
      .split(' ');
    const { exit, stdout, stderr } = await runProgram(program, args, folder);
    if (exit !== 0) return { name: kind, error: `${command}: ${exit} ${stdout}${stderr}` };
    if (!command.startsWith('npm')) printed += stdout + stderr;
  }
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed();
  const name = `${kind}: the page is enough, in ${seconds} s`;
  const expected = files.flatMap(({ text }) =>
    [...text.matchAll(/\/\/ → (.*)$/gm)].map(([, line = '']) => line),
  );
  const wanted = expected.length === 0 ? ['1 passed'] : expected;
  const missing = wanted.filter((line) => !stripVTControlCharacters(printed).includes(line));
  return missing.length === 0 ? { name } : { name, error: `not printed: ${missing.join()}; but ${printed}` };
}
