/** A real process, with real time: what keeps it alive, and what must not (T44). */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const built = path.join(fileURLToPath(new URL('../..', import.meta.url)), 'dist/index.js');

/** Runs a program against the built package; tells what it printed and how long after its last line it ended. */
async function run(program: string): Promise<{ printed: string[]; lingeredMs: number }> {
  const code = `
    import { ConnectionPool, KeyedMutex, Mutex, Semaphore } from ${JSON.stringify(built)};
    const pool = new ConnectionPool({ connect: () => ({}), close() {} }, { max: 1 });
    ${program}
    process.on('exit', (() => { const doneMs = Date.now(); return () => console.log(Date.now() - doneMs); })());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    timeout: 10_000,
  });
  const lines = stdout.trim().split('\n');
  return { printed: lines.slice(0, -1), lingeredMs: Number(lines.at(-1)) };
}

test('idle connections and idle locks do not keep a process alive', async () => {
  const { lingeredMs } = await run(`
    (await pool.acquire()).release();
    new Mutex(); new KeyedMutex(); new Semaphore(1);
  `);
  expect(lingeredMs).toBeLessThan(1_000);
});

test('a pending acquire keeps the process alive until it has timed out', async () => {
  const { printed } = await run(`
    await pool.acquire();
    pool.acquire({ waitTimeoutMs: 200 }).catch((error) => console.log(error.code));
  `);
  expect(printed).toEqual(['ERR_WAIT_TIMEOUT']);
});
