/** Every subject of a row is called in the same way: only the harness makes callers. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { crowdOf, regularOf } from '../../bench/harness/callers.js';

const bench = fileURLToPath(new URL('../../bench/', import.meta.url));

/** Where rows last microseconds and less. A gather is one call, and what a herd of retries shows are its counts. */
const quickRows = /^(?:rivals|suites\/(?:locks|pool|package|runtime|watch))\/.*\.ts$/;

test('bench callers: no suite and no rival makes a crowd of callers itself', async () => {
  const files = (await readdir(bench, { recursive: true })).filter((file) => quickRows.test(file));
  expect(files.length).toBeGreaterThan(30);
  for (const file of files) {
    const text = await readFile(`${bench}${file}`, 'utf8');
    expect(text, file).not.toMatch(/Promise\.all\(\s*Array\.from\(/);
  }
});

/** What a subject sees of its callers. */
class Seen {
  readonly log: string[] = [];

  readonly run = async (task: () => Promise<unknown>): Promise<void> => {
    this.log.push('run');
    await task();
  };

  readonly takes = {
    take: async (key?: number) => {
      this.log.push(`take ${key ?? ''}`.trim());
      return 'held';
    },
    giveBack: (held: unknown, key?: number) => void this.log.push(`give ${held} ${key ?? ''}`.trim()),
  };
}

const task = async () => {};

test('bench callers: all callers of a crowd come in one turn, whatever they call', () => {
  const seen = new Seen();
  void crowdOf(seen.run)(seen.run, 3, task);
  void crowdOf(seen.takes)(seen.takes, 3, task);
  expect(seen.log).toEqual(['run', 'run', 'run', 'take', 'take', 'take']);
});

test('bench callers: a regular caller comes back when its call has been served', async () => {
  const seen = new Seen();
  await regularOf(seen.run)(seen.run, 2, task);
  await regularOf(seen.takes)(seen.takes, 2, task);
  expect(seen.log).toEqual(['run', 'run', 'take', 'give held', 'take', 'give held']);
});

test('bench callers: callers of keys name them in turn', async () => {
  const seen = new Seen();
  await regularOf(seen.takes, 2)(seen.takes, 3, task);
  expect(seen.log.filter((entry) => entry.startsWith('take'))).toEqual(['take 0', 'take 1', 'take 0']);
  expect(seen.log.at(-1)).toBe('give held 0');
});

test('bench callers: what was taken is given back when the task fails', async () => {
  const seen = new Seen();
  const fails = () => Promise.reject(new Error('failed'));
  await expect(crowdOf(seen.takes)(seen.takes, 1, fails)).rejects.toThrow('failed');
  expect(seen.log).toEqual(['take', 'give held']);
});
