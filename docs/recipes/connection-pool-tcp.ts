/**
 * "One of a hundred devices is switched off, and we get no state from any of them."
 *
 * A line protocol over TCP: the server greets, then answers each line with a line. There is no driver, so this file shows
 * everything that a connector must handle.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ConnectionPool, type ConnectionPoolOptions } from 'latchkey';

/** A host and its port: the key of the pool. */
export type Address = Readonly<{ host: string; port: number }>;

/** Sends lines over one socket and matches the answers to them in order. */
export class LineClient {
  readonly socket: Socket;
  readonly #expected: { resolve(line: string): void; reject(error: Error): void }[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => this.#expected.shift()?.resolve(line));
    // readline repeats the error of the socket. Without a listener it would crash the process.
    lines.on('error', () => {});
    socket.on('close', () => {
      const error = socket.errored ?? new Error('the server hung up');
      for (const { reject } of this.#expected.splice(0)) reject(error);
    });
  }

  /** Resolves with the answer to `line`; rejects when the socket closes first. */
  ask(line: string): Promise<string> {
    this.socket.write(`${line}\n`);
    return this.nextLine();
  }

  /** Resolves with the next line that nobody else expects. */
  nextLine(): Promise<string> {
    return new Promise((resolve, reject) => this.#expected.push({ resolve, reject }));
  }
}

/** A pool for any number of hosts: `max` bounds the connections to all hosts, `maxPerKey` those to one host. */
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
      // First a clean end. A peer that does not hang up within a second must not keep the socket.
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
