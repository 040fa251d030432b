/**
 * "One of a hundred devices is switched off, and no state comes from any of them."
 *
 * A line protocol over TCP: the server greets, then answers each line with a line. There is no driver, so all that a connector
 * has to think of stands here.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ConnectionPool, type ConnectionPoolOptions } from 'latchkey';

export type Address = Readonly<{ host: string; port: number }>;

export class LineClient {
  readonly socket: Socket;
  readonly #expected: { resolve(line: string): void; reject(error: Error): void }[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => this.#expected.shift()?.resolve(line));
    // It repeats the socket's error, and would crash the process if nobody listened.
    lines.on('error', () => {});
    socket.on('close', () => {
      const error = socket.errored ?? new Error('the server hung up');
      for (const { reject } of this.#expected.splice(0)) reject(error);
    });
  }

  ask(line: string): Promise<string> {
    this.socket.write(`${line}\n`);
    return this.nextLine();
  }

  nextLine(): Promise<string> {
    return new Promise((resolve, reject) => this.#expected.push({ resolve, reject }));
  }
}

/** Any number of hosts: `max` bounds the connections to all of them, `maxPerKey` those to one. */
export function linePool(options?: ConnectionPoolOptions): ConnectionPool<LineClient, Address> {
  return new ConnectionPool<LineClient, Address>(
    {
      async connect(address, { signal, lost }) {
        const socket = connect({ ...address, signal });
        socket.on('error', lost).on('close', () => lost());
        const client = new LineClient(socket);
        await client.nextLine();
        return client;
      },
      // Politely at first: a peer that does not hang up in turn must not keep the socket for ever.
      async close({ socket }) {
        if (socket.closed) return;
        socket.end().setTimeout(1_000, () => socket.destroy());
        await once(socket, 'close');
      },
      ref: ({ socket }) => socket.ref(),
      unref: ({ socket }) => socket.unref(),
      keyId: ({ host, port }) => `${host}:${port}`,
    },
    options,
  );
}
