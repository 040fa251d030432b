/** A real process: what keeps it alive, and what must not (T44). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printed } from '../support/program.js';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'latchkey-exit-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let programs = 0;

/** Runs a program against the sources, in a process of its own; resolves with the lines that it printed. */
async function linesOf(program: string): Promise<string[]> {
  const code = `
    import { AdaptiveSemaphore, ConnectionPool, KeyedMutex, Mutex, retry, Semaphore } from 'latchkey';
    import { SingleFlight } from 'latchkey/single-flight';
    import { BoundedQueue } from 'latchkey/bounded-queue';
    const days = 86_400_000;
    // Idle for days: if its timers kept the process alive, the test would not end.
    const poolThat = (close) =>
      new ConnectionPool({ connect: () => ({}), close }, { max: 1, idleTimeoutMs: 5 * days, maxLifetimeMs: 5 * days, closeTimeoutMs: 100 });
    const pool = poolThat(() => {});
    const never = () => new Promise(() => {});
    ${program}`;
  const output = await printed(code, path.join(scratch, `${programs++}.mjs`));
  return output.trim().split('\n');
}

test.each([
  ['an idle connection', '(await pool.acquire()).release();'],
  [
    'an idle socket of a connector without ref and unref',
    `const { connect, createServer } = await import('node:net');
     const { once } = await import('node:events');
     const server = createServer().listen(0, '127.0.0.1').unref();
     await once(server, 'listening');
     const open = async (port) => {
       const socket = connect(port, '127.0.0.1');
       await once(socket, 'connect');
       return socket;
     };
     server.on('connection', (socket) => socket.unref());
     const sockets = new ConnectionPool({ connect: open, close: (socket) => void socket.destroy() }, { idleTimeoutMs: 5 * days });
     await sockets.use(server.address().port, () => {});`,
  ],
  ['a connection that is held', 'await pool.acquire();'],
  [
    'a lock that is held',
    'new Mutex().tryAcquire(); new KeyedMutex().tryAcquire("a"); new Semaphore(1).tryAcquire();',
  ],
  ['a pause that no caller waits for', 'new AdaptiveSemaphore().pauseFor(5 * days);'],
  [
    'the alert of a queue that has overflowed',
    `const queue = new BoundedQueue({ capacity: 1, policy: 'drop-newest', onOverflow() {}, overflowIntervalMs: 5 * days });
     await queue.offer(1); await queue.offer(2);`,
  ],
])('%s does not keep a process alive', async (_what, program) => {
  expect(await linesOf(`${program} process.on('beforeExit', () => console.log('ends'));`)).toEqual(['ends']);
});

test.each([
  [
    'a caller of a pool',
    'await pool.acquire(); await ended(pool.acquire({ waitTimeoutMs: 100 }));',
    'ERR_WAIT_TIMEOUT',
  ],
  [
    'a caller of a mutex',
    'const mutex = new Mutex(); mutex.tryAcquire(); await ended(mutex.acquire({ waitTimeoutMs: 100 }));',
    'ERR_WAIT_TIMEOUT',
  ],
  [
    'a caller of idle()',
    'const mutex = new Mutex(); mutex.tryAcquire(); await ended(mutex.idle({ waitTimeoutMs: 100 }));',
    'ERR_WAIT_TIMEOUT',
  ],
  [
    'a caller of a single flight',
    "await ended(new SingleFlight().run('key', never, { waitTimeoutMs: 100 }));",
    'ERR_WAIT_TIMEOUT',
  ],
  [
    'a caller during a pause',
    'const semaphore = new AdaptiveSemaphore(); semaphore.pauseFor(100); await ended(semaphore.run(() => "ran"));',
    'ran',
  ],
  [
    'the pause of a retry',
    'let calls = 0; await ended(retry(() => ++calls === 2 ? "ran" : Promise.reject(new Error("down")), { backoff: () => 100 }));',
    'ran',
  ],
  [
    'an attempt that may time out',
    'await ended(retry(never, { attempts: 1, attemptTimeoutMs: 100 }));',
    'ERR_ATTEMPT_TIMEOUT',
  ],
  [
    'a pool that closes, with a lease out',
    'await pool.acquire(); await ended(pool.close({ graceMs: 100 }));',
    undefined,
  ],
  [
    'a pool that closes, whose connection does not',
    'const slow = poolThat(never); (await slow.acquire()).release(); await ended(slow.close());',
    undefined,
  ],
])('%s keeps a process alive until it has ended', async (_what, program, result) => {
  const ended =
    'const ended = (promise) => promise.then((value) => console.log(String(value)), (error) => console.log(error.code));';
  expect(await linesOf(`${ended} ${program}`)).toEqual([String(result)]);
});
