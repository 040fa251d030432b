/** The client's side of the handshake server: one byte says ready, one byte asks, one byte answers. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class Connection {
  readonly #socket: Socket;
  readonly #answers: (() => void)[] = [];

  /** Resolves when the handshake is over; rejects as the socket does, with ECONNREFUSED for instance. */
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

  /** `holdMs` is how long the server takes. Several may be under way on one connection. */
  request(holdMs = 0): Promise<void> {
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      this.#socket.write(Uint8Array.of(holdMs));
    });
  }

  /** Resolves when the server has ended its side too: until then it counts the connection. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.end();
    await closed;
  }
}
