/** Node, Bun and Deno: programs that run a script. Each comes as an npm package per platform. */
import { join } from 'node:path';
import { fromNpm } from './from-npm.js';
import type { Verdict } from './portable.js';
import { runProgram } from './run-program.js';
import type { Consumer, Subject } from './subject.js';

const platform = `${process.platform}-${process.arch}`;

export function node(range: string): Subject {
  return script(`node ${range}`, { name: `node-${platform}`, range, program: 'bin/node' });
}

const bunPlatform = platform.replace('arm64', 'aarch64');
export const bun = script('bun', { name: `@oven/bun-${bunPlatform}`, program: 'bin/bun' });

const denoPlatform = process.platform === 'linux' ? `${platform}-glibc` : platform;
export const deno = script('deno', {
  name: `@deno/${denoPlatform}`,
  program: 'deno',
  args: ['run', '--allow-read', '--allow-env', '--no-remote'],
});

interface Program {
  readonly name: string;
  readonly range?: string;
  /** Its file in the package. */
  readonly program: string;
  readonly args?: string[];
}

function script(name: string, program: Program): Subject {
  return {
    name,
    async attempt({ directory }: Consumer) {
      const { modules, version } = await fromNpm(program.name, program.range);
      const command = join(modules, program.name, program.program);
      const startedMs = performance.now();
      const verdicts: Verdict[] = [];
      for (const main of ['portable.main.js', 'require.main.js']) {
        verdicts.push(...(await verdictsOf(command, [...(program.args ?? []), main], directory)));
      }
      return { version, verdicts, ms: performance.now() - startedMs };
    },
  };
}

/** The output of a program, and whether it then ends by itself with an empty stderr. */
export async function verdictsOf(command: string, args: string[], directory: string): Promise<Verdict[]> {
  const { stdout, stderr, exit } = await runProgram(command, args, directory);
  const main = args.at(-1);
  const verdicts = verdictsIn(stdout) ?? [
    { name: `${main}: it prints its verdicts`, error: `${stdout}${stderr}` },
  ];
  const ended = `${main}: it ends by itself, and nothing is on stderr`;
  return [
    ...verdicts,
    exit === 0 && stderr === '' ? { name: ended } : { name: ended, error: `${exit} ${stderr}` },
  ];
}

function verdictsIn(stdout: string): Verdict[] | undefined {
  try {
    return JSON.parse(stdout) as Verdict[];
  } catch {
    return undefined;
  }
}
