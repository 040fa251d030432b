/** TypeScript: the declarations of the package, as compilers old and new see them. */
import { cp, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fromNpm } from './from-npm.js';
import type { Verdict } from './portable.js';
import { runProgram } from './run-program.js';
import type { Consumer, Subject } from './subject.js';

const typeRoots = dirname(dirname(createRequire(import.meta.url).resolve('@types/node/package.json')));

/** In a browser the declarations are checked as well as their use; Node's own types are not checked. */
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

const compare = (version: string, other: string) => version.localeCompare(other, 'en', { numeric: true });

/** CommonJS sources, as compilers that know `exports` resolve the package, and as those that do not. */
const commonJs = (version: string) => ({
  'CommonJS, node16': { module: 'node16', moduleResolution: 'node16' },
  // Version 7 cannot resolve so any more.
  ...(compare(version, '7') < 0 && {
    'CommonJS, node10': {
      module: 'commonjs',
      moduleResolution: 'node10',
      ...(compare(version, '6') >= 0 && { ignoreDeprecations: '6.0' }),
    },
  }),
});

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
      await cp(join(directory, 'exports.ts'), join(directory, 'exports.cts'));
      for (const [where, resolution] of Object.entries(commonJs(version))) {
        const options = { ...surroundings['browser, nodenext'], ...resolution };
        const name = `${where}: every export compiles`;
        verdicts.push(await compile({ name, compiler, directory, file: 'exports.cts', options }));
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
