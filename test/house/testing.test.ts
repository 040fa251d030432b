/** The programs of docs/testing.md, each under the tool that its fence names. Jest and older Vitest: see test/runtimes. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundled, printed } from '../support/program.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = await readFile(path.join(root, 'docs/testing.md'), 'utf8');

function program(tool: string): string {
  const code = new RegExp(`^\`\`\`[jt]s ${tool}\n([\\s\\S]*?)^\`\`\``, 'm').exec(page)?.[1];
  if (code === undefined) throw new Error(`docs/testing.md has no program for ${tool}`);
  return code;
}

let scratch = '';
beforeAll(async () => {
  // Below node_modules, so that the tools are found.
  scratch = await mkdtemp(path.join(root, 'node_modules/.cache/latchkey-testing-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Runs a program of node_modules to its end in the scratch folder; rejects when it fails. */
const run = (command: string, args: string[]) =>
  promisify(execFile)(process.execPath, [command, ...args], { cwd: scratch, timeout: 60_000 });

test('node:test: a wait times out under mock.timers', async () => {
  const file = path.join(scratch, 'node-test.mjs');
  await writeFile(file, await bundled(program('node:test')));
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', file], {
    // A test runner inside a test runner reports to its parent otherwise.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  expect(stdout).toMatch(/^# pass 1$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});

test('vitest: a retry waits under fake timers', async () => {
  await writeFile(path.join(scratch, 'page.test.mjs'), await bundled(program('vitest'), ['vitest']));
  await writeFile(path.join(scratch, 'vitest.config.mjs'), 'export default {};');
  const { stdout } = await run(path.join(root, 'node_modules/vitest/vitest.mjs'), ['run', '--root', scratch]);
  expect(stdout).toContain('1 passed');
}, 60_000);

test('sinon: an idle connection closes under fake timers', async () => {
  await expect(printed(program('sinon'), path.join(scratch, 'sinon.mjs'), ['sinon'])).resolves.toBe('');
});
