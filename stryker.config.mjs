/**
 * Mutation testing of the core: `npm run test:mutants`, or a part of it with `npm run test:mutants -- --mutate 'src/pool/*.ts'`.
 * Mutants that no test can kill are listed in docs/design.md.
 */
export default {
  // Without what talks to servers, and without the laws of limits, whose goals are statistical.
  mutate: [
    'src/{runtime,contract,waiting,calling,locks,pool,retry,gather,queue,single-flight}/*.ts',
    'src/limit/adaptive-semaphore.ts',
  ],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutants.config.ts', related: false },
  concurrency: 2,
  timeoutMS: 5_000,
  // Its rewriting of tsconfig needs an interface that TypeScript 7 does not have; the sandbox needs no rewriting.
  tsconfigFile: 'none',
  ignorePatterns: [
    'bench',
    'dist',
    'docs',
    '.engines',
    'test/{real,recipes,endurance,postgres,redis,remote-locks}',
  ],
  reporters: ['clear-text', 'progress', 'json'],
  jsonReporter: { fileName: 'node_modules/.cache/stryker/mutants.json' },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  thresholds: { high: 95, low: 90, break: 90 },
};
