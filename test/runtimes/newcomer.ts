/** A newcomer's first two minutes: what docs/getting-started.md says, in an empty folder for each kind of project. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Verdict } from './portable.js';
import { runProgram } from './run-program.js';
import type { Consumer, Subject } from './subject.js';

interface Project {
  readonly kind: string;
  readonly commands: readonly string[];
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

export const newcomer: Subject = {
  name: 'newcomer',
  async attempt({ directory }: Consumer) {
    const packed = join(directory, 'packed');
    const [tarball = ''] = await readdir(packed);
    const startedMs = performance.now();
    const verdicts: Verdict[] = [];
    for (const project of projectsOf(await readFile(resolve('docs/getting-started.md'), 'utf8')))
      verdicts.push(await follow(project, join(directory, `new-${project.kind}`), join(packed, tarball)));
    const { stdout } = await runProgram('npm', ['--version'], directory);
    return { version: `npm ${stdout.trim()}`, verdicts, ms: performance.now() - startedMs };
  },
};

/** The blocks of the page: commands stand under the kind of project, files under `kind/name`. */
function projectsOf(page: string): Project[] {
  const blocks = [...page.matchAll(/^```(\w+) (\S+)\n([\s\S]*?)^```/gm)];
  const commands = blocks.filter(([, language]) => language === 'sh');
  return commands.map(([, , kind = '', text = '']) => ({
    kind,
    commands: text.trim().split('\n'),
    files: blocks.flatMap(([, , name = '', file = '']) =>
      name.startsWith(`${kind}/`) ? [{ name: name.slice(kind.length + 1), text: file }] : [],
    ),
  }));
}

async function follow({ kind, commands, files }: Project, folder: string, tarball: string): Promise<Verdict> {
  await mkdir(folder);
  for (const { name, text } of files) await writeFile(join(folder, name), text);
  // The last command starts the program of the page; it is followed by those that the page shows besides.
  const others = files.filter(({ name, text }) => text.includes('// → ') && !commands.at(-1)?.includes(name));
  const all = [
    ...commands,
    ...others.filter(({ name }) => !name.endsWith('.ts')).map(({ name }) => `node ${name}`),
  ];
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
