/** What a person sees when a program hangs: real processes, with the built package. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';
beforeAll(async () => {
  // Below the project, so that the package finds itself by its name.
  folder = await mkdtemp(path.join(root, 'test/watch/.scratch-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Seen {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(program: string, flags: string[] = []): Promise<Seen> {
  const file = path.join(folder, 'program.mjs');
  await writeFile(
    file,
    `import { BoundedQueue } from 'latchkey/bounded-queue';
import { ConnectionPool, KeyedMutex, Mutex, Semaphore } from 'latchkey';
import { SingleFlight } from 'latchkey/single-flight';
import { watch } from 'latchkey/watch';
void [BoundedQueue, ConnectionPool, KeyedMutex, Mutex, Semaphore, SingleFlight, watch];
${program}`,
  );
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, file], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

const page = await readFile(path.join(root, 'docs/watch.md'), 'utf8');
const table = page.split('## The twelve hangs')[1]?.split('\n## ')[0] ?? '';
/** What the page says the watcher prints. */
const rows = Object.fromEntries(
  [...table.matchAll(/^\| ([^|`]+) \| `([^`]+)` \|$/gm)].map(([, hang = '', prints = '']) => [hang, prints]),
);

/** The text of a report in one line, for any times and lines of the program. */
function withoutFigures(text: string): string {
  return text
    .replace(/\d+ ms/g, '12 ms')
    .replace(/program\.mjs:\d+:\d+/g, 'app.mjs:3:9')
    .split('\n')
    .map((line) => line.trim())
    .join('; ');
}

describe('a program that has nothing left to do, but callers wait', () => {
  const hangs: Record<string, string> = {
    'a forgotten release': `const mutex = new Mutex(); await mutex.acquire(); await mutex.run(() => 1);`,
    'a mutex inside itself': `const mutex = new Mutex(); await mutex.run(() => mutex.run(() => 1));`,
    'keys in opposite orders': `const keys = new KeyedMutex(); const turn = () => new Promise(setImmediate);
       const take = (a, b) => keys.run(a, async () => { await turn(); await keys.run(b, () => 1); });
       await Promise.all([take('a', 'b'), take('b', 'a')]);`,
    'two mutexes in opposite orders': `const [a, b] = [new Mutex(), new Mutex()]; const turn = () => new Promise(setImmediate);
       const take = (x, y) => x.run(async () => { await turn(); await y.run(() => 1); });
       await Promise.all([take(a, b), take(b, a)]);`,
    'a semaphore whose holders want another unit': `const semaphore = new Semaphore(2); const turn = () => new Promise(setImmediate);
       const take = () => semaphore.run(async () => { await turn(); await semaphore.run(() => 1); });
       await Promise.all([take(), take()]);`,
    'a single flight that asks for its own key': `const flights = new SingleFlight(); const load = () => flights.run('key', load); await load();`,
    'a pool whose users need two connections each': `const pool = new ConnectionPool({ connect: () => ({}), close() {} }, { max: 2, waitTimeoutMs: Infinity });
       const turn = () => new Promise(setImmediate);
       const use = () => pool.use(async () => { await turn(); await pool.use(() => 1); });
       await Promise.all([use(), use()]);`,
    'a connection that is never given back': `const pool = new ConnectionPool({ connect: () => ({}), close() {} }, { max: 1, waitTimeoutMs: Infinity });
       await pool.acquire(); await pool.use(() => 1);`,
    'a queue without a consumer': `const queue = new BoundedQueue({ capacity: 1 }); await queue.offer(1); await queue.offer(2);`,
    'a batch that is never done': `const queue = new BoundedQueue({ capacity: 1 }); await queue.offer(1); await queue.take(); await queue.offer(2);`,
    'a task that never ends': `const mutex = new Mutex(); void mutex.run(() => new Promise(() => {})); await mutex.run(() => 1);`,
    'a heavy waiter before a light one': `const semaphore = new Semaphore(2); await semaphore.acquire();
       await Promise.all([semaphore.run(() => 1, { weight: 2 }), semaphore.run(() => 1)]);`,
  };

  test('the page has a row for each', () => {
    expect(Object.keys(rows)).toEqual(Object.keys(hangs));
  });

  test.each(Object.entries(hangs))('%s: the watcher prints what the page says', async (hang, program) => {
    const { stderr } = await run(`watch();\n${program}`);
    const deadlock = /LatchkeyWarning: (deadlock .*)/.exec(stderr)?.[1];
    const tree = /callers wait:\n(?:.*)\n([\s\S]*?)\n*$/.exec(stderr)?.[1];
    expect(withoutFigures(deadlock ?? tree ?? stderr)).toBe(rows[hang]);
    expect(stderr).toContain('the process has nothing left to do, but callers wait:');
  });

  test.each(Object.entries(hangs))(
    '%s: without a watcher, it ends with code 13 and prints nothing about the waiters',
    async (_hang, program) => {
      const { code, stdout, stderr } = await run(program);
      expect([code, stdout]).toEqual([13, '']);
      // Node's own warning, of an unsettled await.
      expect(stderr).not.toMatch(/held|waits|deadlock/);
    },
  );

  test('a program that ends well prints nothing', async () => {
    const { code, stderr } = await run(
      `watch(); const mutex = new Mutex(); await mutex.run(() => mutex.locked);`,
    );
    expect([code, stderr]).toEqual([0, '']);
  });
});

describe('a permit that is collected as garbage', () => {
  const collect = `await new Promise((resolve) => setTimeout(resolve, 10)); gc(); await new Promise((resolve) => setTimeout(resolve, 10));`;

  test('WA4: is reported with the place of its acquire, and stays held', async () => {
    const { stdout } = await run(
      `const watcher = watch({ onReport: (report) => console.log(String(report)) });
       const mutex = new Mutex();
       await (async () => { await mutex.acquire(); })();
       ${collect}
       console.log(mutex.locked, watcher.snapshot().held.length);`,
      ['--expose-gc'],
    );
    expect(stdout).toMatch(
      /^Mutex, acquired at program\.mjs:\d+:\d+, was collected as garbage without a release and stays held\ntrue 1\n$/,
    );
  });

  test('is not reported as lost when its lock is collected with it', async () => {
    const { stdout } = await run(
      `const watcher = watch({ onReport: (report) => console.log(String(report)) });
       await (async () => { await new Mutex().acquire(); })();
       ${collect}
       console.log(watcher.snapshot().held.length);`,
      ['--expose-gc'],
    );
    expect(stdout).toBe('0\n');
  });
});
