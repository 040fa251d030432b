/** Jest as most projects run it: their tests, and so the package, are loaded as CommonJS. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromNpm } from './from-npm.js';
import type { Consumer, Subject } from './subject.js';
import { runTests } from './test-runners.js';

const body = `
test('the package can be imported', async () => {
  const order: string[] = [];
  const mutex = new Mutex();
  await Promise.all(['a', 'b'].map((name) => mutex.run(async () => void order.push(name))));
  expect(order.concat(typeof PostgresMutex)).toEqual(['a', 'b', 'function']);
});
`;
const untyped = body.replace(': string[]', '');
const imports = "import { Mutex } from 'latchkey';\nimport { PostgresMutex } from 'latchkey/postgres';\n";
const requires =
  "const { Mutex } = require('latchkey');\nconst { PostgresMutex } = require('latchkey/postgres');\n";

interface Project {
  readonly file: string;
  readonly program: string;
  /** Jest's setting of the same name. */
  transform(): Promise<object>;
}

const projects: Readonly<Record<string, Project>> = {
  require: { file: 'require.test.cjs', program: requires + untyped, transform: async () => ({}) },
  babel: {
    file: 'babel.test.js',
    program: imports + untyped,
    async transform() {
      const { modules } = await fromNpm('@babel/preset-env');
      const preset = [join(modules, '@babel/preset-env'), { targets: { node: 'current' } }];
      return { '\\.js$': ['babel-jest', { presets: [preset] }] };
    },
  },
  'ts-jest': {
    file: 'typed.test.ts',
    program: imports + body,
    async transform() {
      const { modules } = await fromNpm('ts-jest');
      const tsconfig = {
        target: 'es2022',
        module: 'commonjs',
        moduleResolution: 'node10',
        ignoreDeprecations: '6.0',
        esModuleInterop: true,
        strict: true,
        types: [],
      };
      // The types of Jest's globals are not installed.
      const diagnostics = { ignoreCodes: [2304, 2582, 2593] };
      return { '\\.ts$': [join(modules, 'ts-jest'), { tsconfig, diagnostics }] };
    },
  },
};

export function jestCommonJs(range: string): Subject {
  return {
    name: `jest ${range} CommonJS`,
    async attempt({ directory }: Consumer) {
      const startedMs = performance.now();
      const { modules, version } = await fromNpm('jest', range);
      const verdicts = [];
      for (const [name, { file, program, transform }] of Object.entries(projects)) {
        await writeFile(join(directory, file), program);
        const config = JSON.stringify({
          rootDir: directory,
          transform: await transform(),
          testMatch: [`<rootDir>/${file}`],
        });
        const args = [join(modules, 'jest', 'bin/jest.js'), `--config=${config}`];
        verdicts.push(await runTests(`${name}: the package is imported`, args, directory));
      }
      return { version, verdicts, ms: performance.now() - startedMs };
    },
  };
}
