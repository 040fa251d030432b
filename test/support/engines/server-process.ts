import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerSite } from './server-site.js';
import { identity } from './unprivileged-user.js';

/**
 * Runs between us and the server, in a session of its own that no Ctrl-C reaches, and reads a pipe whose other end only we
 * hold. When this process ends, in any way, the pipe closes and the server is stopped.
 */
const supervisor = `
  signal=$1; shift
  exec 3<&0
  "$@" </dev/null 3<&- & server=$!
  echo "pid $server"
  exec >/dev/null 2>&1
  ( while read -r _; do :; done <&3; kill -s CONT "$server"; kill -s "$signal" "$server" ) & watcher=$!
  wait "$server"; status=$?
  kill "$watcher"
  exit "$status"
`;

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly site: ServerSite;
  /** The signal that asks the server to stop. */
  readonly stopSignal: 'TERM' | 'INT';
  /** The line that it prints when it accepts connections. */
  readonly readyLine: string;
}

/** A server that never outlives the test run. */
export class ServerProcess implements AsyncDisposable {
  readonly #settings: ServerCommand;
  readonly #supervisor: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  #log = '';

  static async start(settings: ServerCommand): Promise<ServerProcess> {
    const server = new ServerProcess(settings);
    await server.#waitUntilReady();
    return server;
  }

  private constructor(settings: ServerCommand) {
    const { command, args, env, site, stopSignal } = settings;
    const { user, directory } = site;
    this.#settings = settings;
    this.#supervisor = spawn('sh', ['-c', supervisor, 'sh', stopSignal, command, ...args], {
      ...identity(user),
      env: { ...process.env, ...env },
      cwd: directory,
      detached: true,
    });
    this.#ended = once(this.#supervisor, 'exit');
    for (const output of [this.#supervisor.stdout, this.#supervisor.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text;
      });
    }
  }

  /** Everything the server has printed. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return Number(/^pid (\d+)$/m.exec(this.#log)?.[1]);
  }

  /** `SIGSTOP` freezes the server, which is what a network partition looks like; `SIGCONT` thaws it. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Stops the server; its site stays, for another start. */
  async stop(): Promise<void> {
    if (this.#supervisor.exitCode === null) this.signal(`SIG${this.#settings.stopSignal}`);
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#supervisor.stdin.end();
    await this.#ended;
    await this.#settings.site.remove();
  }

  async #waitUntilReady(): Promise<void> {
    const { command, readyLine } = this.#settings;
    const { stdout, stderr } = this.#supervisor;
    let closed = false;
    const closing = once(this.#supervisor, 'close').then(() => {
      closed = true;
    });
    while (!this.#log.includes(readyLine)) {
      if (closed) throw new Error(`${command} ended before it took connections:\n${this.#log}`);
      await Promise.race([once(stdout, 'data'), once(stderr, 'data'), closing]);
    }
  }
}
