/**
 * Each page of docs/migrating shows programs before and after, which print the same, and programs that show a difference,
 * which print what their comments say.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../support/engines/redis.js';
import { printed } from '../support/program.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = path.join(root, 'docs/migrating');
let scratch = '';
let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
  // Below node_modules, so that the packages are found.
  scratch = await mkdtemp(path.join(root, 'node_modules/.cache/latchkey-migrating-'));
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

const pages = (await readdir(folder)).filter((name) => name.endsWith('.md'));
const packages = [...pages.map((name) => path.basename(name, '.md')), 'ioredis'];

test('the index of the docs names every page', async () => {
  const index = await readFile(path.join(root, 'docs/README.md'), 'utf8');
  expect(pages.filter((name) => !index.includes(`migrating/${name}`))).toEqual([]);
});

const onOurRedis = (code: string) =>
  code.replace("'redis://127.0.0.1:6379'", `'redis://127.0.0.1:${redis.connectionOptions.port}'`);

for (const page of pages) {
  const text = await readFile(path.join(folder, page), 'utf8');
  const programs = (kind: string) =>
    [...text.matchAll(new RegExp(`^\`\`\`ts ${kind}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
      ([, code = '']) => code,
    );
  const run = (code: string, name: string) =>
    printed(onOurRedis(code), path.join(scratch, `${page}-${name}.mjs`), packages);

  describe(page, () => {
    test('before and after print the same', async () => {
      const sides = [programs('before'), programs('after')];
      expect(sides.map(({ length }) => length)).toEqual([1, 1]);
      const [before, after] = await Promise.all(sides.map(([code = ''], side) => run(code, `side${side}`)));
      expect(before).not.toBe('');
      expect(after).toBe(before);
    });

    test('both packages behave as the page says', async () => {
      const [code = '', ...more] = programs('differs');
      expect(more).toEqual([]);
      const said = [...code.matchAll(/^\/\/ → (.*)$/gm)].map(([, line]) => line);
      expect(said.length).toBeGreaterThan(0);
      expect((await run(code, 'differs')).trimEnd()).toBe(said.join('\n'));
    });
  });
}
