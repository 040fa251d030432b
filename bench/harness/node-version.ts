/**
 * The Node that the benches run on: the one that most services run on, whatever Node this machine has. It is fetched once,
 * from the platform packages of npm's `node`. Where that fails, the benches run on the Node that is there, and say so.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The major of the figures in the docs. */
const ofTheDocs = '26';

/** Which Node the command line wants: `--node=24`; `--node` alone, or nothing, is the Node of the docs. */
export function wantedMajor(flags: Readonly<Record<string, string>>): string {
  return flags['node'] || ofTheDocs;
}

/**
 * Runs this program again on the wanted Node; resolves with its exit code. `undefined`: this is the wanted Node already, or the
 * only one there is.
 */
export async function onWantedNode(major: string): Promise<number | undefined> {
  if (process.versions.node.split('.')[0] === major) return undefined;
  const program = await nodeProgram(major).catch((error: Error) => {
    console.error(
      `Node ${major} could not be fetched (${error.message.split('\n')[0]}): this is ${process.version}.`,
    );
  });
  if (program === undefined) return undefined;
  const child = spawn(program, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

const cache = fileURLToPath(new URL('../../../../node_modules/.cache/', import.meta.url));
const run = promisify(execFile);

/** Fetched into a folder of its own, which then gets its name: two runs may do it at once. */
async function nodeProgram(major: string): Promise<string> {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const platformPackage = `node-${system}-${process.arch}`;
  const kept = join(cache, `node-${major}`);
  if (!existsSync(kept)) {
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(`${kept}.`);
    const quietly = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const npm = system === 'win' ? 'npm.cmd' : 'npm';
    try {
      await run(npm, ['install', '--prefix', folder, ...quietly, `${platformPackage}@${major}`], {
        cwd: folder,
      });
      await rename(folder, kept);
    } catch (error) {
      await rm(folder, { recursive: true });
      if (!existsSync(kept)) throw error;
    }
  }
  return join(kept, 'node_modules', platformPackage, 'bin', system === 'win' ? 'node.exe' : 'node');
}
