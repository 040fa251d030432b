/** Reports of npm and of its users' tools about the packed package, and how it is released. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
  engines: { node: string };
};

describe('published package', () => {
  let directory = '';
  let tarball = '';
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'latchkey-publish-'));
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], { cwd: root });
    tarball = path.join(directory, (await readdir(directory))[0] ?? '');
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('publint reports nothing, not even a suggestion', async () => {
    const { buffer, byteOffset, byteLength } = await readFile(tarball);
    const pack = { tarball: buffer.slice(byteOffset, byteOffset + byteLength) };
    const { messages, pkg } = await publint({ pack, level: 'suggestion', strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  test('are-the-types-wrong finds no fault in any module system', async () => {
    const terms = ['--profile', 'strict', '--format', 'json'];
    const attw = path.join(root, 'node_modules/.bin/attw');
    const { stdout } = await run(attw, [tarball, ...terms], { cwd: directory });
    const { analysis } = JSON.parse(stdout) as { analysis: { entrypoints: object; types: { kind: string } } };
    expect(Object.keys(analysis.entrypoints).length).toBeGreaterThan(6);
    expect(analysis.types.kind).toBe('included');
  }, 60_000);

  test('no script runs when it is installed', () => {
    const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare'];
    expect(Object.keys(manifest.scripts).filter((name) => atInstall.includes(name))).toEqual([]);
  });

  test('it contains no helpers of the TypeScript compiler', async () => {
    const files = (await readdir(path.join(root, 'dist'), { recursive: true })).filter((file) =>
      file.endsWith('.js'),
    );
    const texts = await Promise.all(files.map((file) => readFile(path.join(root, 'dist', file), 'utf8')));
    expect(files.filter((_file, index) => texts[index]?.includes('(this && this.__'))).toEqual([]);
  });
});

describe('workflows', async () => {
  const folder = path.join(root, '.github/workflows');
  const names = await readdir(folder);
  const workflows = await Promise.all(
    names.map(async (name) => ({ name, text: await readFile(path.join(folder, name), 'utf8') })),
  );

  test.each(workflows)(
    '$name: every action is pinned to a commit, with its version beside it',
    ({ text }) => {
      const actions = Array.from(text.matchAll(/uses: (.*)/g), ([, action]) => action);
      expect(actions.length).toBeGreaterThan(0);
      expect(
        actions.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action ?? '')),
      ).toEqual([]);
    },
  );

  test.each(workflows)('$name: it may only read the repository, unless a job says otherwise', ({ text }) => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m);
  });

  test.each(workflows)('$name: the scripts that it runs exist', ({ text }) => {
    const scripts = Array.from(
      text.matchAll(/npm (?:run )?(test|(?<=run )[\w:]+)/g),
      ([, script]) => script ?? '',
    );
    expect(scripts.length).toBeGreaterThan(0);
    expect(scripts.filter((script) => !(script in manifest.scripts))).toEqual([]);
  });

  test('tests run on the oldest Node that the package promises', () => {
    const oldest = /\d+\.\d+/.exec(manifest.engines.node)?.[0];
    expect(workflows.find(({ name }) => name === 'ci.yml')?.text).toContain(`'${oldest}'`);
  });

  describe('release.yml', () => {
    const release = workflows.find(({ name }) => name === 'release.yml')?.text ?? '';
    const [build = '', publish = ''] = release.split(/^ {2}publish:\n/m);

    test('the job that may publish runs no code of the repository and none of its dependencies', () => {
      expect(publish).toContain('id-token: write');
      expect(publish).not.toMatch(/actions\/checkout|npm (ci|install|test|run|exec)|npx|node /);
      expect(publish.match(/npm .*/g)).toEqual([
        'npm publish ./latchkey.tgz --ignore-scripts --provenance --access public',
      ]);
    });

    test('the job that runs the tests cannot publish and keeps no credentials', () => {
      expect(build).not.toContain('id-token');
      expect(build).not.toContain('npm publish');
      expect(build).toContain('persist-credentials: false');
    });

    test('the package is hashed before any test runs, and compared before it is published', () => {
      expect(build.indexOf('sha256=')).toBeGreaterThan(0);
      expect(build.indexOf('sha256=')).toBeLessThan(build.indexOf('npm test'));
      expect(publish.indexOf('sha256sum --check')).toBeGreaterThan(0);
      expect(publish.indexOf('sha256sum --check')).toBeLessThan(publish.indexOf('npm publish'));
    });

    test('it refuses a tag that is not on main, another version, and the placeholder in package.json', () => {
      expect(build).toContain('git merge-base --is-ancestor "$GITHUB_SHA" origin/main');
      expect(build).toContain('require("./package.json").version');
      expect(build).toContain('require("./package.json").repository.url');
    });
  });
});
