import { Mutex } from 'async-mutex';

/** One lock around look-up, connect and insert, because two requests once connected to the same host twice. */
export class ConnectionPerHost<C> {
  readonly #lock = new Mutex();
  readonly #connections = new Map<string, C>();
  readonly #connect: (host: string) => Promise<C>;

  constructor(connect: (host: string) => Promise<C>) {
    this.#connect = connect;
  }

  get(host: string): Promise<C> {
    return this.#lock.runExclusive(async () => {
      const known = this.#connections.get(host);
      if (known !== undefined) return known;
      const connection = await this.#connect(host);
      this.#connections.set(host, connection);
      return connection;
    });
  }
}
