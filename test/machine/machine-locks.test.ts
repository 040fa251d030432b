/** MachineMutex and MachineSemaphore among processes, cluster workers and threads. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { WaitTimeoutError } from 'latchkey';
import { MachineMutex, MachineSemaphore } from 'latchkey/machine';
import { leaseEngineClaims } from 'latchkey/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { boundName } from '../../src/machine/bound-name.js';
import { HeldPlace } from '../../src/machine/held-place.js';
import { MachineEngine } from '../../src/machine/machine-engine.js';
import { PlaceWait } from '../../src/machine/place-wait.js';
import { printed } from '../support/program.js';
import type { Report } from './support/guest.process.js';
import { Guest, Guests } from './support/guests.js';

let guests: Guests;
let names = 0;
beforeAll(async () => {
  guests = await Guests.ready();
});
afterAll(() => guests[Symbol.asyncDispose]());

const brief = { waitTimeoutMs: 100 };
const freshKey = () => `key ${++names}`;
function mutexHere(): MachineMutex {
  const { namespace, directory } = guests.options;
  return new MachineMutex({ namespace, directory });
}

describe.each([
  ['mutex', 1],
  ['semaphore', 3],
] as const)('the engine of a %s with %i places', (kind, places) => {
  test.each(leaseEngineClaims)('$title', ({ check }) => {
    const { namespace, directory } = guests.options;
    const makeEngine = () => new MachineEngine(kind, { namespace, directory }, places);
    return check({ makeEngine, places, expires: false });
  });
});

test('a wait that times out names the process that holds the key', async () => {
  const key = freshKey();
  const holder = guests.process();
  await holder.acquire({ key });
  await expect(mutexHere().acquire(key, { waitTimeoutMs: 300 })).rejects.toThrow(
    `process ${holder.pid} holds it`,
  );
});

test('holder names the process that holds the key, and one that is stopped as one that does not answer', async () => {
  const key = freshKey();
  const mutex = mutexHere();
  expect(await mutex.holder(key)).toBeUndefined();
  const other = guests.process();
  await other.acquire({ key });
  const [heldMs, leftMs] = [undefined, Infinity];
  expect(await mutex.holder(key)).toEqual({ owner: `process ${other.pid}`, heldMs, leftMs });
  await other.kill('SIGSTOP');
  expect(await mutex.holder(key)).toEqual({ owner: 'a process that does not answer', heldMs, leftMs });
  await other.kill('SIGCONT');
  await other.release({ key });
  const lease = await mutex.acquire(key);
  expect(await mutex.holder(key)).toEqual({ owner: `process ${process.pid}`, heldMs, leftMs });
  await lease.release();
  expect(await mutex.holder(key)).toBeUndefined();
});

test('tryAcquire takes a free key, and does not wait for one that another process holds', async () => {
  const key = freshKey();
  const holder = guests.process();
  await holder.acquire({ key });
  const mutex = mutexHere();
  expect(await mutex.tryAcquire(key)).toBeUndefined();
  await holder.release({ key });
  const lease = await mutex.tryAcquire(key);
  expect(lease?.key).toBe(key);
  await lease!.release();
});

test('close refuses waiters, frees what is held, and leaves no place behind', async () => {
  const key = freshKey();
  const mutex = mutexHere();
  await mutex.acquire(key);
  const waiter = mutex.acquire(key);
  const [end] = await Promise.allSettled([waiter, mutex.close()]);
  expect(end).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CLOSED' } });
  expect(await mutexHere().run(key, () => 'free')).toBe('free');
});

describe('threads and cluster workers', () => {
  test('MC1, MC2: a worker thread excludes the others, and frees the key when it is terminated', async () => {
    const key = freshKey();
    const thread = guests.thread();
    const token = await thread.acquire({ key });
    const next = mutexHere().acquire(key);
    await expect(mutexHere().acquire(key, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
    await thread.terminate();
    const lease = await next;
    expect(lease.token).toBeGreaterThan(token);
    await lease.release();
  });

  test('MC1: workers of one cluster exclude each other', async () => {
    const key = freshKey();
    cluster.setupPrimary({ exec: guests.program, execArgv: [], args: [] });
    const workers = [cluster.fork(), cluster.fork()];
    try {
      const [first, second] = await Promise.all(
        workers.map(async (worker) => {
          await once(worker, 'message');
          const guest = new Guest(guests.options, (order) => worker.send(order));
          worker.on('message', (report: Report) => guest.hear(report));
          return guest;
        }),
      );
      await first!.acquire({ key });
      await expect(second!.acquire({ key, ...brief })).rejects.toThrow('WaitTimeoutError');
      await first!.release({ key });
      await second!.acquire({ key });
    } finally {
      for (const worker of workers) worker.kill('SIGKILL');
    }
  });
});

describe('keys', () => {
  test('two keys that differ in their millionth character are two locks, and so are two such namespaces', async () => {
    const { directory } = guests.options;
    const long = 'k'.repeat(1_000_000);
    const one = new MachineMutex({ namespace: `${long}a`, directory });
    const other = new MachineMutex({ namespace: `${long}b`, directory });
    await using _one = await one.acquire(`${long}a`);
    expect(await one.run(`${long}b`, () => 'free')).toBe('free');
    expect(await other.run(`${long}a`, () => 'free')).toBe('free');
    await expect(one.acquire(`${long}a`, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
  });

  test('different kind, namespace, key and place never make the same name', () => {
    const parts = [
      ['mutex', 'a', 'b', 0],
      ['semaphore', 'a', 'b', 0],
      ['mutex', 'ab', '', 0],
      ['mutex', '', 'ab', 0],
      ['mutex', 'a', 'b', 1],
      ['mutex', 'a:1', 'b', 0],
      ['mutex', 'a', '1:b', 0],
    ] as const;
    const bound = parts.map(([kind, namespace, key, place]) => boundName(kind, namespace, key, place));
    expect(new Set(bound).size).toBe(parts.length);
    for (const name of bound) expect(Buffer.byteLength(name)).toBeLessThan(107);
  });

  test('500 keys are held at once, refused to others, and free again', async () => {
    const [here, there] = [mutexHere(), mutexHere()];
    const keys = Array.from({ length: 500 }, freshKey);
    const leases = await Promise.all(keys.map((key) => here.acquire(key)));
    const refused = await Promise.allSettled(keys.map((key) => there.acquire(key, brief)));
    expect(refused.filter(({ status }) => status === 'rejected')).toHaveLength(500);
    expect(new Set(leases.map(({ token }) => token)).size).toBe(500);
    await here.releaseAll();
    await Promise.all(keys.map((key) => there.run(key, () => {})));
  });
});

describe('semaphore', () => {
  test('MC11: at most `limit` hold a place, over all processes', async () => {
    const key = freshKey();
    const { namespace, directory } = guests.options;
    const semaphore = new MachineSemaphore(2, { name: key, namespace, directory });
    const [one, two] = [guests.process(), guests.process()];
    await one.acquire({ key, limit: 2 });
    await two.acquire({ key, limit: 2 });
    await expect(semaphore.acquire(brief)).rejects.toBeInstanceOf(WaitTimeoutError);
    const next = semaphore.acquire();
    await two.kill('SIGKILL');
    await (await next).release();
  });

  test('MC6: a waiter that is called to two places at once takes one', async () => {
    const placeNames = [0, 1].map((place) =>
      boundName('semaphore', guests.options.namespace, freshKey(), place),
    );
    const holders = await Promise.all(placeNames.map((name) => HeldPlace.take(name)));
    const waiting = new PlaceWait(placeNames, () => {}).place(new AbortController().signal);
    await vi.waitUntil(() => holders.every((holder) => holder!.waiting === 1));
    const leaving = holders.map((holder) => holder!.leave());
    const place = await waiting;
    await Promise.all(leaving);
    const free = await vi.waitUntil(async () => {
      const both = await Promise.all(placeNames.map((name) => HeldPlace.take(name)));
      return both.some((taken) => taken !== undefined) && both;
    });
    expect(free.filter((taken) => taken !== undefined)).toHaveLength(1);
    await Promise.all([place, ...free].map((taken) => taken?.leave()));
  });

  test('MC6: an abort at any moment around the grant leaves no place behind', async () => {
    const name = boundName('semaphore', guests.options.namespace, freshKey(), 0);
    for (let round = 0; round < 40; round++) {
      const holder = await HeldPlace.take(name);
      const controller = new AbortController();
      const waiting = new PlaceWait([name], () => {}).place(controller.signal);
      await vi.waitUntil(() => holder!.waiting === 1, { interval: 1 });
      const leaving = holder!.leave();
      for (let turn = 0; turn < round % 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      for (let microtask = 0; microtask < round / 10; microtask++) await undefined;
      controller.abort();
      const place = await waiting;
      await Promise.all([leaving, place?.leave()]);
      const free = await vi.waitUntil(() => HeldPlace.take(name), { interval: 1 });
      await free!.leave();
    }
  });

  test('Cancel: an abort leaves the queues of all places at once', async () => {
    const placeNames = [0, 1].map((place) =>
      boundName('semaphore', guests.options.namespace, freshKey(), place),
    );
    const holders = await Promise.all(placeNames.map((name) => HeldPlace.take(name)));
    const controller = new AbortController();
    const pids: number[] = [];
    const waiting = new PlaceWait(placeNames, (pid) => pids.push(pid)).place(controller.signal);
    await vi.waitUntil(() => holders.every((holder) => holder!.waiting === 1) && pids.length === 2);
    expect(pids).toEqual([process.pid, process.pid]);
    controller.abort();
    expect(await waiting).toBeUndefined();
    await vi.waitUntil(() => holders.every((holder) => holder!.waiting === 0));
    await Promise.all(holders.map((holder) => holder!.leave()));
  });
});

describe('tokens', () => {
  test('MC8: they grow over processes, threads and objects', async () => {
    const key = freshKey();
    const [mutex, other, thread] = [mutexHere(), guests.process(), guests.thread()];
    let last = 0n;
    for (let round = 0; round < 5; round++) {
      for (const guest of [other, thread]) {
        const token = await guest.acquire({ key });
        await guest.release({ key });
        expect(token).toBeGreaterThan(last);
        last = await mutex.run(key, (lease) => lease.token);
        expect(last).toBeGreaterThan(token);
      }
    }
    // PostgreSQL's bigint holds them.
    expect(last).toBeLessThan(2n ** 63n);
  });

  test('MC9: the directory holds one file per boot, and files that a killed process left there do no harm', async () => {
    const directory = path.join(guests.folder, 'one file');
    await mkdir(directory, { mode: 0o700 });
    await writeFile(path.join(directory, 'token-offset-other'), 'rubbish');
    const mutexes = Array.from({ length: 10 }, () => new MachineMutex({ namespace: directory, directory }));
    await Promise.all(mutexes.map((mutex, i) => mutex.run(`${i}`, () => {})));
    const files = (await readdir(directory)).filter((name) => name !== 'token-offset-other');
    expect(files).toHaveLength(1);
    expect(await readFile(path.join(directory, files[0]!), 'utf8')).toMatch(/^\d+$/);
  });

  test.each([
    ['is a file', (file: string) => writeFile(file, '')],
    ['can be written to by others', (file: string) => mkdir(file).then(() => chmod(file, 0o777))],
    ['lies below a file', (file: string) => writeFile(path.dirname(file), '')],
  ])('MC9: a directory that %s is refused by name, and nothing is held', async (_, make) => {
    const directory = path.join(guests.folder, `wrong ${++names}`, 'directory');
    if (!String(make).includes('dirname')) await mkdir(path.dirname(directory));
    await make(directory);
    const namespace = directory;
    await expect(new MachineMutex({ namespace, directory }).acquire('key')).rejects.toThrow(directory);
    const sound = new MachineMutex({ namespace, directory: guests.options.directory });
    expect(await sound.run('key', () => 'free')).toBe('free');
  });

  test.each([
    ['may not be made, not even by root', '/sys/latchkey-test'],
    ['has a path that is too long', `/tmp/${'long/'.repeat(1_000)}`],
  ])('MC9: a directory that %s is refused by name, and nothing is held', async (_, directory) => {
    const { namespace, directory: sound } = guests.options;
    const key = freshKey();
    await expect(new MachineMutex({ namespace, directory }).acquire(key)).rejects.toThrow(
      `cannot be kept in ${directory}`,
    );
    expect(await new MachineMutex({ namespace, directory: sound }).run(key, () => 'free')).toBe('free');
  });

  test('MC9: a damaged offset is refused by name', async () => {
    const directory = path.join(guests.folder, 'damaged');
    await new MachineMutex({ namespace: directory, directory }).run('key', () => {});
    const [file] = await readdir(directory);
    await writeFile(path.join(directory, file!), '12x');
    await expect(new MachineMutex({ namespace: directory, directory }).acquire('key')).rejects.toThrow(
      `${file} is damaged`,
    );
  });
});

test('a process ends while it holds a key, and does not end while it waits for one', async () => {
  const { namespace, directory } = guests.options;
  const options = JSON.stringify({ namespace, directory });
  const key = freshKey();
  const program = (rest: string) => `
    import { MachineMutex } from 'latchkey/machine';
    const mutex = new MachineMutex(${options});
    await mutex.acquire('${key}');
    ${rest}`;
  const run = (rest: string) => printed(program(rest), path.join(guests.folder, `${++names}.mjs`));
  expect(await run("console.log('holds');")).toBe('holds\n');
  const lease = await mutexHere().acquire(key);
  const waiter = run("console.log('had it');");
  await expect(
    Promise.race([waiter, mutexHere().acquire(key, { waitTimeoutMs: 500 })]),
  ).rejects.toBeInstanceOf(WaitTimeoutError);
  await lease.release();
  expect(await waiter).toBe('had it\n');
});

test.each(['darwin', 'win32', 'freebsd'] as const)('on %s the error says that it needs Linux', (system) => {
  const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue(system);
  expect(() => new MachineMutex()).toThrow('latchkey/machine needs Node.js on Linux');
  expect(() => new MachineSemaphore(1, { name: 'a' })).toThrow('latchkey/machine needs Node.js on Linux');
  platform.mockRestore();
});
