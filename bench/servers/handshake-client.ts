/** The client of the handshake server. The protocol: one byte means ready, one byte is a request, one byte is an answer. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class Connection {
  readonly #socket: Socket;
  readonly #answers: (() => void)[] = [];

  /** Resolves when the handshake is over; rejects with the socket's error, for example ECONNREFUSED. */
  static open(port: number): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', () => resolve(new Connection(socket)));
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => {
      for (let i = 0; i < bytes.length; i++) this.#answers.shift()?.();
    });
  }

  /** Asks the server to answer after `holdMs`. Several requests may run on one connection. */
  request(holdMs = 0): Promise<void> {
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      this.#socket.write(Uint8Array.of(holdMs));
    });
  }

  /** Resolves when the server has ended its side too; until then the server counts the connection. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.end();
    await closed;
  }
}
