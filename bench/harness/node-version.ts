/**
 * The Node that the benches run on: the one that most services run on, whatever Node this machine has. It is fetched once,
 * from the platform packages of npm's `node`. Where that fails, the benches run on the Node that is there, and say so.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { fetchedOnce } from '../../test/support/engines/npm-package.js';
import { majorOf } from './results.js';

/** The major of the figures in the docs. */
const ofTheDocs = '26';
/** The major that is shown beside it. */
export const olderMajor = '24';

/** Which Node the command line wants: `--node=24`; `--node` alone, or nothing, is the Node of the docs. */
export function wantedMajor(flags: Readonly<Record<string, string>>): string {
  return flags['node'] || ofTheDocs;
}

/**
 * Runs this program again on the wanted Node; resolves with its exit code. `undefined`: this is the wanted Node already, or the
 * only one there is.
 */
export async function onWantedNode(major: string): Promise<number | undefined> {
  if (majorOf(process.version) === major) return undefined;
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

async function nodeProgram(major: string): Promise<string> {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const platformPackage = `node-${system}-${process.arch}`;
  const folder = await fetchedOnce(platformPackage, major, join(cache, `node-${major}`));
  return join(folder, 'bin', system === 'win' ? 'node.exe' : 'node');
}
