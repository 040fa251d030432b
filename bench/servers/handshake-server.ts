/** TCP servers on loopback that delay their handshake. They run in a separate process, so their work is not measured. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Behaviour, Commands, ConnectionCounts, Reply } from './protocol.js';

export class HandshakeServer implements Commands {
  /** One port per host. */
  readonly hosts: readonly number[];
  readonly #process: ChildProcess;
  readonly #replies = new Map<number, (value: unknown) => void>();
  #requests = 0;

  static async start(hosts: number): Promise<HandshakeServer> {
    const child = fork(new URL('./handshake-server.process.js', import.meta.url), [String(hosts)], {
      execArgv: [],
    });
    const [{ value }] = (await once(child, 'message')) as [Reply];
    return new HandshakeServer(child, value as number[]);
  }

  private constructor(child: ChildProcess, hosts: readonly number[]) {
    this.#process = child;
    this.hosts = hosts;
    child.on('message', ({ id, value }: Reply) => {
      this.#replies.get(id)?.(value);
      this.#replies.delete(id);
    });
  }

  async begin(behaviour: Partial<Behaviour> = {}): Promise<void> {
    await this.#ask('begin', behaviour);
  }

  async behave(behaviour: Partial<Behaviour>): Promise<void> {
    await this.#ask('behave', behaviour);
  }

  counts(): Promise<ConnectionCounts> {
    return this.#ask('counts') as Promise<ConnectionCounts>;
  }

  async refuse(): Promise<void> {
    await this.#ask('refuse');
  }

  async accept(): Promise<void> {
    await this.#ask('accept');
  }

  stop(): void {
    this.#process.disconnect();
  }

  #ask(command: keyof Commands, argument: Partial<Behaviour> = {}): Promise<unknown> {
    const id = ++this.#requests;
    return new Promise((resolve) => {
      this.#replies.set(id, resolve);
      this.#process.send({ id, command, argument });
    });
  }
}
