/** TypeScript: the declarations of the package, as compilers old and new see them. */
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fromNpm } from './from-npm.js';
import type { Verdict } from './portable.js';
import { runProgram } from './run-program.js';
import type { Consumer, Subject } from './subject.js';

const typeRoots = dirname(dirname(createRequire(import.meta.url).resolve('@types/node/package.json')));

/** In a browser the declarations are checked as well as their use; Node's own types are not ours to check. */
const surroundings = {
  'browser, nodenext': {
    lib: ['es2022', 'esnext.disposable', 'dom'],
    types: [],
    module: 'nodenext',
    moduleResolution: 'nodenext',
  },
  'node, bundler': {
    lib: ['es2022'],
    types: ['node'],
    typeRoots: [typeRoots],
    skipLibCheck: true,
    module: 'esnext',
    moduleResolution: 'bundler',
  },
};

/** Since 5.8 TypeScript knows that `require` loads ES modules. */
const knowsRequire = (version: string) => version.localeCompare('5.8', 'en', { numeric: true }) >= 0;
const requiring = `import latchkey = require('latchkey');\nexport const mutex = new latchkey.Mutex();\n`;

export function typescript(range: string): Subject {
  return {
    name: `typescript ${range}`,
    async attempt({ directory }: Consumer) {
      const { modules, version } = await fromNpm('typescript', range);
      const compiler = join(modules, 'typescript', 'bin', 'tsc');
      const startedMs = performance.now();
      const verdicts: Verdict[] = [];
      for (const [where, options] of Object.entries(surroundings)) {
        for (const exactOptionalPropertyTypes of [true, false]) {
          const name = `${where}, exactOptionalPropertyTypes ${exactOptionalPropertyTypes}: every export compiles`;
          const exactly = { ...options, exactOptionalPropertyTypes };
          verdicts.push(await compile({ name, compiler, directory, file: 'exports.ts', options: exactly }));
        }
      }
      if (knowsRequire(version)) {
        const file = 'requiring.cts';
        await writeFile(join(directory, file), requiring);
        const options = surroundings['browser, nodenext'];
        verdicts.push(await compile({ name: 'require() has types', compiler, directory, file, options }));
      }
      return { version, verdicts, ms: performance.now() - startedMs };
    },
  };
}

interface Compilation {
  readonly name: string;
  readonly compiler: string;
  readonly directory: string;
  readonly file: string;
  readonly options: object;
}

async function compile({ name, compiler, directory, file, options }: Compilation): Promise<Verdict> {
  const project = join(directory, 'tsconfig.json');
  const compilerOptions = { noEmit: true, strict: true, target: 'es2022', ...options };
  await writeFile(project, JSON.stringify({ compilerOptions, files: [file] }));
  const { exit, stdout, stderr } = await runProgram(process.execPath, [compiler, '-p', project], directory);
  return exit === 0 ? { name } : { name, error: `${exit} ${stdout}${stderr}` };
}
