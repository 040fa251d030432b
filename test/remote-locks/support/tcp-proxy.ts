import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A relay to a server. It can swallow everything in both directions while connections stay open. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  isBlackHole = false;
  readonly #sockets = new Set<Socket>();
  readonly #close: () => Promise<void>;

  static async before(target: { host: string; port: number }): Promise<TcpProxy> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const proxy = new TcpProxy((server.address() as AddressInfo).port, async () => {
      server.close();
    });
    server.on('connection', (inner) => {
      const outer = connect(target);
      proxy.#join(inner, outer);
      proxy.#join(outer, inner);
    });
    return proxy;
  }

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port;
    this.#close = close;
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => this.isBlackHole || to.write(bytes));
    from.on('error', () => {});
    from.on('close', () => to.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#close();
  }
}
