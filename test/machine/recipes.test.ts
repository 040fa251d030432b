/** The recipes of the machine locks, each with more than one process or thread. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MachineMutex, MachineSemaphore } from 'latchkey/machine';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { exclusively } from '../../docs/recipes/machine-cli.js';
import { type AccessToken, sharedToken } from '../../docs/recipes/machine-cluster.js';
import { onGpu } from '../../docs/recipes/machine-worker-threads.js';
import { printed } from '../support/program.js';
import { Guests } from './support/guests.js';

let guests: Guests;
beforeAll(async () => {
  guests = await Guests.ready();
});
afterAll(() => guests[Symbol.asyncDispose]());

describe('machine-cluster', () => {
  const valid = (text: string): AccessToken => ({ text, expiresAtMs: Date.now() + 3_600_000 });

  test('four processes refresh once', async () => {
    const { folder, options } = guests;
    const program = `
      import { appendFileSync } from 'node:fs';
      import { MachineMutex } from 'latchkey/machine';
      import { sharedToken } from './docs/recipes/machine-cluster.ts';
      const lock = new MachineMutex(${JSON.stringify({ namespace: 'recipe', directory: options.directory })});
      const token = await sharedToken(lock, '${folder}/token.json', async () => {
        appendFileSync('${folder}/refreshes', 'once ');
        return { text: 'token', expiresAtMs: Date.now() + 3_600_000 };
      });
      console.log(token.text);`;
    const runs = [1, 2, 3, 4].map((n) => printed(program, path.join(folder, `worker-${n}.mjs`)));
    expect(await Promise.all(runs)).toEqual(Array(4).fill('token\n'));
    expect(await readFile(`${folder}/refreshes`, 'utf8')).toBe('once ');
  });

  test('a token that is about to expire is refreshed, a failed refresh leaves the old one', async () => {
    const { folder, options } = guests;
    const file = path.join(folder, 'old-token.json');
    const lock = new MachineMutex(
      options.directory === '' ? {} : { directory: options.directory, namespace: file },
    );
    await writeFile(file, JSON.stringify({ text: 'old', expiresAtMs: Date.now() + 1_000 }));
    const failure = new Error('the provider is down');
    await expect(sharedToken(lock, file, () => Promise.reject(failure))).rejects.toBe(failure);
    expect((await sharedToken(lock, file, async () => valid('new'))).text).toBe('new');
    expect((await sharedToken(lock, file, async () => valid('newer'))).text).toBe('new');
  });
});

describe('machine-worker-threads', () => {
  test('two threads fill the places; a terminated one makes room', async () => {
    const namespace = `${guests.folder} gpu`;
    const order = { namespace, key: 'gpu', limit: 2 };
    const [one, two] = [guests.thread(), guests.thread()];
    await Promise.all([one.acquire(order), two.acquire(order)]);
    const mine = onGpu(namespace, async () => 'had a place');
    await expect(
      new MachineSemaphore(2, { name: 'gpu', namespace }).acquire({ waitTimeoutMs: 100 }),
    ).rejects.toThrow('gave up');
    await one.terminate();
    expect(await mine).toBe('had a place');
  });
});

describe('machine-cli', () => {
  test('a second run prints that it waits, and continues when the first is killed', async () => {
    const folder = `${guests.folder} cli`;
    const first = guests.process();
    await first.acquire({ namespace: 'my-cli', key: folder });
    const onWait = vi.fn();
    const result = exclusively(folder, async () => 'done', { onWait });
    await vi.waitUntil(() => onWait.mock.calls.length === 1, { timeout: 10_000 });
    await expect(exclusively(folder, async () => {}, { patienceMs: 50 })).rejects.toThrow(
      'another run works in',
    );
    await first.kill('SIGKILL');
    expect(await result).toBe('done');
  });

  test('an error of the command passes through', async () => {
    const failure = new Error('no such package');
    await expect(exclusively(guests.folder, () => Promise.reject(failure))).rejects.toBe(failure);
  });
});
