/**
 * npm run test:runtimes -- [--only=node,deno]
 *
 * The package as it would be published, under every runtime, compiler, bundler and test runner that it supports. Those that are not
 * devDependencies come from npm; the browser comes from Debian. One that cannot be fetched is a failure. `--only` takes parts of names.
 */
import { chromium } from './browser.js';
import { esbuild, rollup } from './bundlers.js';
import { typescript } from './compilers.js';
import { withConsumer } from './consumer.js';
import { jestCommonJs } from './jest-commonjs.js';
import { newcomer } from './newcomer.js';
import { bun, deno, node } from './scripts.js';
import type { Subject } from './subject.js';
import { testRunner } from './test-runners.js';
import { workerd } from './workerd.js';

const subjects: readonly Subject[] = [
  // The first is the oldest that package.json promises.
  ...['20.19', '20', '22', '24', '26'].map(node),
  bun,
  deno,
  chromium,
  workerd,
  ...['5.4', '5.6', '5.8', '5.9', '6', 'latest'].map(typescript),
  esbuild,
  rollup,
  ...['29', '30'].map((range) => testRunner('jest', range)),
  ...['29', '30'].map(jestCommonJs),
  testRunner('vitest', '2'),
  testRunner('vitest', '4'),
  newcomer,
];

const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
const parts = only?.split(',') ?? [''];
const chosen = subjects.filter(({ name }) => parts.some((part) => name.includes(part)));

const failures: string[] = [];
let passed = 0;

await withConsumer(async (consumer) => {
  print('runtime', 'version', 'checks', 'ms');
  for (const subject of chosen) {
    try {
      const { version, verdicts, ms } = await subject.attempt(consumer);
      const failed = verdicts.filter(({ error }) => error !== undefined);
      passed += verdicts.length - failed.length;
      failures.push(...failed.map(({ name, error }) => `${subject.name}: ${name}\n  ${error}`));
      print(subject.name, version, `${verdicts.length - failed.length}/${verdicts.length}`, ms.toFixed());
    } catch (error) {
      failures.push(`${subject.name}: ${String(error)}`);
      print(subject.name, 'not had', '0/1', '-');
    }
  }
});

if (failures.length > 0) console.log(`\n${failures.join('\n\n')}`);
console.log(`\n${passed} passed, ${failures.length} failed`);
// An `--only` that matches nothing is a mistake.
if (failures.length > 0 || passed === 0) process.exitCode = 1;

function print(name: string, version: string, checks: string, ms: string): void {
  console.log(`${name.padEnd(18)} ${version.padEnd(16)} ${checks.padStart(7)} ${ms.padStart(7)}`);
}
