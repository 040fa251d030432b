import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it, vi } from 'vitest';

const patience = { timeout: 10_000 };

/** A program that starts a server, as a test file would, prints what to look for, and waits to be killed. */
const testRun = `
  import { ServerProcess } from './server-process.ts';
  import { atNewSite } from './server-site.ts';

  await atNewSite(async (site) => {
    const command = { command: 'sleep', args: ['600'], stopSignal: 'TERM', readyLine: 'pid' };
    const { pid } = await ServerProcess.start({ ...command, site });
    console.log(JSON.stringify({ pid, directory: site.directory }));
  });
`;

it.each(['SIGINT', 'SIGKILL'] as const)(
  'a test run killed by %s leaves no server and no files',
  async (signal) => {
    const resolveDir = fileURLToPath(new URL('../support/engines', import.meta.url));
    const { outputFiles } = await build({
      stdin: { contents: testRun, resolveDir },
      bundle: true,
      platform: 'node',
      format: 'esm',
      write: false,
    });
    const run = spawn(process.execPath, ['--input-type=module', '--eval', outputFiles[0]?.text ?? '']);
    const [line] = await once(run.stdout, 'data');
    const { pid, directory }: { pid: number; directory: string } = JSON.parse(String(line));
    expect(isRunning(pid)).toBe(true);
    expect(existsSync(directory)).toBe(true);

    run.kill(signal);

    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), patience);
    await vi.waitFor(() => expect(existsSync(directory)).toBe(false), patience);
  },
);

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
