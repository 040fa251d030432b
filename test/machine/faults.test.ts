/** Faults on one machine: processes that are killed, stopped or blocked, and peers that break the protocol. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { WaitTimeoutError } from 'latchkey';
import { MachineMutex } from 'latchkey/machine';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { boundName } from '../../src/machine/bound-name.js';
import { HeldPlace } from '../../src/machine/held-place.js';
import { Guests } from './support/guests.js';

let guests: Guests;
let keys = 0;
beforeAll(async () => {
  guests = await Guests.ready();
});
afterAll(() => guests[Symbol.asyncDispose]());

/** A key that no other test uses, and how to lock it from here. */
function fresh() {
  const key = `key ${++keys}`;
  const { namespace, directory } = guests.options;
  return {
    key,
    mutex: new MachineMutex({ namespace, directory }),
    name: boundName('mutex', namespace, key, 0),
  };
}

const brief = { waitTimeoutMs: 150 };

describe('a holder in another process', () => {
  test('MC2: is killed with SIGKILL: the next one has the key, with a larger token', async () => {
    const { key, mutex } = fresh();
    const holder = guests.process();
    const token = await holder.acquire({ key });
    const next = mutex.acquire(key);
    await expect(mutex.acquire(key, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
    await holder.kill('SIGKILL');
    const lease = await next;
    expect(lease.token).toBeGreaterThan(token);
    await lease.release();
  });

  test('MC2: is killed with waiters in three processes: each has the key once, one after the other', async () => {
    const { key, mutex } = fresh();
    const holder = guests.process();
    await holder.acquire({ key });
    const others = [guests.process(), guests.process(), guests.process()];
    const ends = others.map(async (guest) => {
      const token = await guest.acquire({ key });
      await expect(mutex.acquire(key, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
      await guest.release({ key });
      return token;
    });
    await expect(mutex.acquire(key, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
    await holder.kill('SIGKILL');
    expect(new Set(await Promise.all(ends)).size).toBe(3);
  });

  test('MC2: leaves no file behind, and a stale socket file of its name is no obstacle', async () => {
    const { key, mutex, name } = fresh();
    const { directory } = guests.options;
    const stale = path.join(directory, name.slice(1));
    const holder = guests.process();
    await holder.acquire({ key });
    const before = await readdir(directory);
    await holder.kill('SIGKILL');
    expect(await readdir(directory)).toEqual(before);
    expect(before.filter((file) => !file.startsWith('token-offset-'))).toEqual([]);
    // As a process leaves it that listened on a path and was killed: nobody answers there.
    await promisify(execFile)(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]).catch(() => {});
    expect((await lstat(stale)).isSocket()).toBe(true);
    expect(await mutex.run(key, () => 'free')).toBe('free');
    await rm(stale);
  });

  test('MC2: ends with a child that lives on: the child does not keep the key', async () => {
    const { key, mutex } = fresh();
    const holder = guests.process();
    await holder.acquire({ key });
    const pid = await holder.do<number>('leave a child');
    try {
      await holder.kill('SIGKILL');
      await (await mutex.acquire(key)).release();
      expect(process.kill(pid, 0)).toBe(true);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });

  test('MC3, MC10: is stopped: it keeps its key, delays no other key, and its signal does not abort', async () => {
    const { key, mutex } = fresh();
    const holder = guests.process();
    await holder.acquire({ key });
    await holder.kill('SIGSTOP');
    const next = mutex.acquire(key);
    await expect(mutex.acquire(key, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
    expect(await mutex.run('another key', () => 'free')).toBe('free');
    await holder.kill('SIGCONT');
    expect(await holder.release({ key })).toMatchObject({ lost: false });
    await (await next).release();
  });

  test('MC3, MC10: blocks its event loop for 2 s: it keeps its key, and delays no other key', async () => {
    const { key, mutex } = fresh();
    const holder = guests.process();
    await holder.acquire({ key });
    const blocked = holder.do('block', { ms: 2_000 });
    const next = mutex.acquire(key);
    expect(await mutex.run('another key', () => 'free')).toBe('free');
    await expect(mutex.acquire(key, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
    await blocked;
    expect(await holder.release({ key })).toMatchObject({ lost: false });
    await (await next).release();
  });
});

describe('waiters', () => {
  test('MC5: one that is stopped when it is called does not keep the others from the key', async () => {
    const { key, mutex } = fresh();
    const { lease, queued } = await held(mutex, key);
    const stopped = guests.process();
    const waiting = stopped.acquire({ key });
    await queued(1);
    await stopped.kill('SIGSTOP');
    const other = guests.process().acquire({ key });
    await queued(2);
    await lease.release();
    expect(await other).toBeGreaterThan(lease.token);
    await stopped.kill('SIGKILL');
    waiting.catch(() => {});
  });

  test('MC4: the longest waiter is called first, and the process that released steps back', async () => {
    const { key, mutex } = fresh();
    const { lease, queued } = await held(mutex, key);
    const others = [guests.process(), guests.process()];
    const tokens: Promise<bigint>[] = [];
    for (const [i, guest] of others.entries()) {
      tokens.push(guest.acquire({ key }).then((token) => guest.release({ key }).then(() => token)));
      await queued(i + 1);
    }
    await lease.release();
    const again = await mutex.run(key, ({ token }) => token);
    const [first, second] = await Promise.all(tokens);
    expect(first).toBeLessThan(second!);
    expect(first).toBeLessThan(again);
  });

  test('two processes that start at once: one has the key, the other has it next', async () => {
    for (let round = 0; round < 5; round++) {
      const { key } = fresh();
      const both = [guests.process(), guests.process()];
      const order: string[] = [];
      await Promise.all(
        both.map(async (guest, i) => {
          await guest.acquire({ key });
          order.push(`in ${i}`);
          await guest.do('block', { ms: 5 });
          order.push(`out ${i}`);
          await guest.release({ key });
        }),
      );
      expect(order[0]!.slice(3)).toBe(order[1]!.slice(4));
      await Promise.all(both.map((guest) => guest.kill('SIGKILL')));
    }
  });
});

/** Locks the key from here; `queued(count)` resolves when `count` waiters have joined its queue. */
async function held(mutex: MachineMutex, key: string) {
  const take = vi.spyOn(HeldPlace, 'take');
  const lease = await mutex.acquire(key);
  const place = (await take.mock.results.at(-1)!.value) as HeldPlace;
  take.mockRestore();
  const queued = (count: number) =>
    vi.waitUntil(() => place.waiting >= count, { timeout: 10_000, interval: 2 });
  return { lease, queued };
}

describe('peers that break the protocol', () => {
  async function stranger(name: string): Promise<Socket> {
    const socket = connect({ path: name });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  test.each([
    ['never reads', 2, (socket: Socket) => socket.pause().write('{"since":"1"}\n')],
    ['never speaks', 1, () => {}],
    ['speaks no JSON', 1, (socket: Socket) => socket.write('hello\n')],
    ['sends no messages', 1, (socket: Socket) => socket.write('null\n7\n{"since":-1}\n{"since":{}}\n')],
    ['sends a message without an end', 1, (socket: Socket) => socket.write('x'.repeat(1_000_000))],
    ['is of a later version', 2, (socket: Socket) => socket.write('{"v":9,"since":"1"}\n{"who":1}\n')],
  ] as const)('MC5: a waiter that %s does not keep others from the key', async (_, waiting, act) => {
    const { key, mutex, name } = fresh();
    const { lease, queued } = await held(mutex, key);
    const socket = await stranger(name);
    act(socket);
    const next = guests.process();
    const token = next.acquire({ key });
    await queued(waiting);
    await lease.release();
    expect(await token).toBeGreaterThan(lease.token);
    await next.release({ key });
    expect(await mutex.run(key, () => 'free')).toBe('free');
    socket.destroy();
  });

  test.each([
    ['is of another version', (socket: Socket) => socket.write('{"v":9,"welcome":[]}\n')],
    ['speaks no JSON', (socket: Socket) => socket.write('220 ready\r\n')],
    ['never speaks', () => {}],
    ['refuses every waiter', (socket: Socket) => socket.end()],
    ['sends every waiter on', (socket: Socket) => socket.write('{"moved":true}\n')],
    ['calls every waiter', (socket: Socket) => socket.write('{"next":true}\n')],
  ])('MC1, MC7: a holder that %s is respected, and followed when it has gone', async (_, act) => {
    const { key, mutex, name } = fresh();
    const server = createServer((socket) => {
      socket.on('error', () => {});
      act(socket);
    });
    await once(server.listen({ path: name, exclusive: true }), 'listening');
    const next = mutex.acquire(key);
    await expect(mutex.acquire(key, brief)).rejects.toBeInstanceOf(WaitTimeoutError);
    // Its connections stay open, as those of a process that was stopped while it left.
    server.close();
    await (await next).release();
  });
});
