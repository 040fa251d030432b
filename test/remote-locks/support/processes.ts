import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Orders } from './worker.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A folder with the worker's program, built from the source, and the log of events. */
export class Workers implements AsyncDisposable {
  readonly #folder: string;
  readonly #log: string;
  readonly #children: ChildProcess[] = [];

  static async ready(): Promise<Workers> {
    const folder = await mkdtemp(path.join(root, 'node_modules/.cache/latchkey-workers-'));
    await build({
      entryPoints: [path.join(root, 'test/remote-locks/support/worker.ts')],
      outfile: path.join(folder, 'worker.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      alias: {
        'latchkey/postgres': path.join(root, 'src/postgres.ts'),
        'latchkey/redis': path.join(root, 'src/redis.ts'),
        latchkey: path.join(root, 'src/index.ts'),
      },
    });
    const workers = new Workers(folder);
    await writeFile(workers.#log, '');
    return workers;
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.#log = path.join(folder, 'log');
  }

  start(orders: Omit<Orders, 'log'>): ChildProcess {
    const child = fork(
      path.join(this.#folder, 'worker.mjs'),
      [JSON.stringify({ ...orders, log: this.#log })],
      {
        execArgv: [],
      },
    );
    this.#children.push(child);
    return child;
  }

  async ended(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }

  /** The events, in the order in which they happened. */
  async events(): Promise<{ what: 'in' | 'out'; token: bigint }[]> {
    const lines = (await readFile(this.#log, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => {
      const [what, token] = line.split(' ') as ['in' | 'out', string];
      return { what, token: BigInt(token) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.ended();
    await rm(this.#folder, { recursive: true });
  }
}
