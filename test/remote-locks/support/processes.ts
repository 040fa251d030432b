import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect } from 'vitest';
import type { Orders } from './worker.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

type What = 'in' | 'out' | 'lost';

/** A worker takes the lock, gives it back, or finds that it has lost it. */
export interface WorkerEvent {
  readonly what: What;
  readonly token: bigint;
  readonly pid: number;
}

/**
 * The grants of a log. @throws unless each holder was alone until it gave the lock back, lost it or was killed, and tokens grew
 * with every grant.
 */
export function grantsOf(events: readonly WorkerEvent[], killed: ReadonlySet<number>): number {
  const lost = new Set(events.filter(({ what }) => what === 'lost').map(({ token }) => token));
  let holder: WorkerEvent | undefined;
  let last = 0n;
  let grants = 0;
  for (const event of events) {
    if (event.what === 'out') {
      expect(event).toEqual({ ...holder, what: 'out' });
      holder = undefined;
    }
    if (event.what !== 'in') continue;
    const isAlone = holder === undefined || lost.has(holder.token) || killed.has(holder.pid);
    expect(isAlone, 'two were inside').toBe(true);
    expect(event.token > last, `token ${event.token} after ${last}`).toBe(true);
    last = event.token;
    holder = event;
    grants++;
  }
  return grants;
}

/** A folder with the worker's program, built from the source, and the log of events. */
export class Workers implements AsyncDisposable {
  /** Is removed with the workers. */
  readonly folder: string;
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
        'latchkey/remote-locks': path.join(root, 'src/remote-locks.ts'),
        latchkey: path.join(root, 'src/index.ts'),
      },
    });
    const workers = new Workers(folder);
    await writeFile(workers.#log, '');
    return workers;
  }

  private constructor(folder: string) {
    this.folder = folder;
    this.#log = path.join(folder, 'log');
  }

  start(orders: Omit<Orders, 'log'>): ChildProcess {
    const child = fork(
      path.join(this.folder, 'worker.mjs'),
      [JSON.stringify({ ...orders, log: this.#log })],
      {
        execArgv: [],
      },
    );
    this.#children.push(child);
    return child;
  }

  /** @throws if a worker ended with an error. One that was killed did not. */
  async ended(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.exitCode ?? 0, 'the exit code of a worker').toBe(0);
    }
  }

  /** The events, in the order in which they happened. */
  async events(): Promise<WorkerEvent[]> {
    const lines = (await readFile(this.#log, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => {
      const [what, token, pid] = line.split(' ') as [What, string, string];
      return { what, token: BigInt(token), pid: Number(pid) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.ended();
    await rm(this.folder, { recursive: true });
  }
}
