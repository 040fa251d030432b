import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Fetches a package into the folder `kept`, once for all runs; resolves with where it stands. Several may do it at once: each
 * downloads into its own folder, and the first one to finish renames it. No install script runs.
 */
export async function fetchedOnce(name: string, version: string, kept: string): Promise<string> {
  if (!existsSync(kept)) {
    await mkdir(dirname(kept), { recursive: true });
    const folder = await mkdtemp(`${kept}.`);
    const quietly = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    try {
      await run(npm, ['install', '--prefix', folder, ...quietly, `${name}@${version}`], { cwd: folder });
      await rename(folder, kept);
    } catch (error) {
      await rm(folder, { recursive: true });
      if (!existsSync(kept)) throw error;
    }
  }
  return join(kept, 'node_modules', name);
}
