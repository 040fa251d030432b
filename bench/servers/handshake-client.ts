/** The client of the handshake server. The protocol: one byte means ready, one byte is a request, one byte is an answer. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class Connection {
  readonly #socket: Socket;
  readonly #answers: { resolve(): void; reject(error: Error): void }[] = [];

  /** Resolves when the handshake is over; rejects with the socket's error, for example ECONNREFUSED. */
  static open(port: number, signal?: AbortSignal): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, ...(signal && { signal }) });
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.once('close', () => reject(new Error('the server closed the connection')));
      socket.once('data', () => resolve(new Connection(socket)));
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => {
      for (let i = 0; i < bytes.length; i++) this.#answers.shift()?.resolve();
    });
    this.onLost((error) => {
      for (const { reject } of this.#answers.splice(0)) reject(error);
    });
  }

  get isAlive(): boolean {
    return !this.#socket.destroyed;
  }

  onLost(listener: (error: Error) => void): void {
    this.#socket.once('close', () => listener(new Error('the server closed the connection')));
  }

  /** Asks the server to answer after `holdMs`. Several requests may run on one connection. Rejects when it is lost. */
  request(holdMs = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
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
