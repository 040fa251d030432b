/** What docs/module-settings.md says about fresh projects, done: with the built package, in a folder of its own. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = await readFile(path.join(root, 'docs/module-settings.md'), 'utf8');
const run = promisify(execFile);

function block(fence: string): string {
  const code = new RegExp(`^\`\`\`${fence}\n([\\s\\S]*?)^\`\`\``, 'm').exec(page)?.[1];
  if (code === undefined) throw new Error(`docs/module-settings.md has no block ${fence}`);
  return code;
}

let project = '';
const write = (file: string, text: string) => writeFile(path.join(project, file), text);

beforeAll(async () => {
  project = await mkdtemp(path.join(tmpdir(), 'latchkey-settings-'));
  await mkdir(path.join(project, 'node_modules/@types'), { recursive: true });
  await symlink(root, path.join(project, 'node_modules/latchkey'));
  await symlink(path.join(root, 'node_modules/@types/node'), path.join(project, 'node_modules/@types/node'));
  // What npm init -y writes about modules.
  await write('package.json', '{ "name": "fresh", "type": "commonjs" }');
});
afterAll(() => rm(project, { recursive: true, force: true }));

test.each(['start.mjs', 'start.js'])('%s runs in what npm init -y makes', async (file) => {
  const program = block(`js ${file}`);
  await write(file, program);
  const { stdout } = await run(process.execPath, [file], { cwd: project });
  expect(stdout.trim()).toBe(/\/\/ → (.*)$/m.exec(program)?.[1]);
});

test('import in a .js file fails there with the words of the page', async () => {
  const words = /Node says \*"([^"]*)"\*/.exec(page)?.[1];
  await write('wrong.js', block('js start.mjs'));
  const failed = await run(process.execPath, ['wrong.js'], { cwd: project }).catch((error) => error);
  expect(failed.stderr).toContain(words);
});

async function compile(settings: object, file: string): Promise<string> {
  await write('tsconfig.json', JSON.stringify({ ...settings, files: [file] }));
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const done = await run(process.execPath, [tsc, '--noEmit', '-p', project]).catch((error) => error);
  return done.stdout;
}

const typed = `import { Mutex } from 'latchkey';
export const permit: Promise<{ released: boolean }> = new Mutex().acquire({ signal: AbortSignal.timeout(1_000) });
`;

test.each(['typed.mts', 'typed.cts'])('%s compiles with the tsconfig of the page', async (file) => {
  await write(file, typed);
  expect(await compile(JSON.parse(block('json')), file)).toBe('');
});

test('without types of AbortSignal the compiler says what the page says', async () => {
  const words = /compiler says \*"([^"]*)"\*/.exec(page.replaceAll('\n', ' ').replaceAll('  ', ' '))?.[1];
  await write('typed.mts', typed);
  const { compilerOptions } = JSON.parse(block('json'));
  const without = { compilerOptions: { ...compilerOptions, lib: ['es2022'], types: [] } };
  expect(await compile(without, 'typed.mts')).toContain(words);
});
