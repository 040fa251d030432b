import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { Order, Report } from './guest.process.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

type Orders = Partial<Omit<Order, 'id' | 'act'>>;
type GuestOptions = Pick<Order, 'namespace' | 'directory' | 'key'>;

/** A process or a thread that follows orders. */
export class Guest {
  readonly #send: (order: Order) => void;
  readonly #options: GuestOptions;
  readonly #open = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  #orders = 0;

  constructor(options: GuestOptions, send: (order: Order) => void) {
    this.#options = options;
    this.#send = send;
  }

  hear({ id, value, error }: Report): void {
    if (id === 0) return;
    const { resolve, reject } = this.#open.get(id)!;
    this.#open.delete(id);
    if (error === undefined) resolve(value as never);
    else reject(new Error(error));
  }

  do<T>(act: Order['act'], orders: Orders = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const id = ++this.#orders;
      this.#open.set(id, { resolve, reject });
      this.#send({ ...this.#options, ...orders, id, act });
    });
  }

  async acquire(orders: Orders = {}): Promise<bigint> {
    return BigInt((await this.do<{ token: string }>('acquire', orders)).token);
  }

  release(orders: Orders = {}): Promise<{ lost: boolean; atNs: string }> {
    return this.do('release', orders);
  }
}

/** Arguments of a guest's program. */
interface Programme {
  readonly args?: readonly string[];
}

export class ProcessGuest extends Guest {
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
  readonly pid: number;

  constructor(program: string, options: GuestOptions, { args = [] }: Programme = {}) {
    const child = fork(program, args, { execArgv: [] });
    super(options, (order) => child.send(order));
    child.on('message', (report: Report) => this.hear(report));
    this.pid = child.pid!;
    // A SIGKILL resolves when the process is gone, another signal when it has been sent.
    this.kill = async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      if (signal === 'SIGKILL') await gone;
    };
  }
}

class ThreadGuest extends Guest {
  readonly terminate: () => Promise<unknown>;

  constructor(program: string, options: GuestOptions) {
    const thread = new Worker(program);
    super(options, (order) => thread.postMessage(order));
    thread.on('message', (report: Report) => this.hear(report));
    this.terminate = () => thread.terminate();
  }
}

/** Guests that share a namespace and a directory of their own. Disposing ends them. */
export class Guests implements AsyncDisposable {
  readonly folder: string;
  readonly program: string;
  readonly options: GuestOptions;
  readonly #processes: ProcessGuest[] = [];
  readonly #threads: ThreadGuest[] = [];

  /** `program`: what they run. Default: the guest's, built from its source. */
  static async ready(program?: string): Promise<Guests> {
    const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-machine-'));
    if (program !== undefined) return new Guests(folder, program);
    const built = path.join(folder, 'guest.mjs');
    await build({
      entryPoints: [path.join(root, 'test/machine/support/guest.process.ts')],
      outfile: built,
      bundle: true,
      platform: 'node',
      format: 'esm',
      alias: { 'latchkey/machine': path.join(root, 'src/machine.ts') },
    });
    return new Guests(folder, built);
  }

  private constructor(folder: string, program: string) {
    this.folder = folder;
    this.program = program;
    this.options = { namespace: folder, directory: path.join(folder, 'offsets'), key: 'key' };
  }

  process(programme?: Programme): ProcessGuest {
    const guest = new ProcessGuest(this.program, this.options, programme);
    this.#processes.push(guest);
    return guest;
  }

  thread(): ThreadGuest {
    const guest = new ThreadGuest(this.program, this.options);
    this.#threads.push(guest);
    return guest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((guest) => guest.kill('SIGKILL')));
    await Promise.all(this.#threads.map((guest) => guest.terminate()));
    await rm(this.folder, { recursive: true });
  }
}
