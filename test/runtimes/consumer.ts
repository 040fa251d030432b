/** Makes the package as it would be published, installs it as a user would, and puts the programs beside it. */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from './run-program.js';
import type { Consumer } from './subject.js';

const programs = fileURLToPath(new URL('.', import.meta.url));
const sources = resolve('test/runtimes');

/** The package must be built. The folder is removed when `visit` has ended. */
export async function withConsumer<T>(visit: (consumer: Consumer) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-consumer-'));
  try {
    const tarball = await pack(directory);
    await writeFile(join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    // Offline: only the package itself may be needed.
    await npm(directory, ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', tarball]);
    for (const name of await readdir(programs)) {
      if (/^(portable|require)\b/.test(name))
        await cp(join(programs, name), join(directory, name), { recursive: true });
    }
    await cp(join(sources, 'exports.ts'), join(directory, 'exports.ts'));
    return await visit({ directory, latchkey: join(directory, 'node_modules', 'latchkey') });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function pack(directory: string): Promise<string> {
  const packed = join(directory, 'packed');
  await mkdir(packed);
  await npm(resolve('.'), ['pack', '--ignore-scripts', '--pack-destination', packed]);
  const [tarball = ''] = await readdir(packed);
  return join(packed, tarball);
}

async function npm(cwd: string, args: string[]): Promise<void> {
  const { exit, stderr } = await runProgram('npm', [...args, '--loglevel=error'], cwd);
  if (exit !== 0) throw new Error(`npm ${args[0]} ended with ${exit}: ${stderr}`);
}
