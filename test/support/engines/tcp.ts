import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.js';

/** What a server does with each connection it accepts. */
export type Behaviour = (socket: Socket) => void;

export interface TcpServer extends AsyncDisposable {
  readonly connectionOptions: { host: string; port: number };
  /** Connections as the server counts them: open now, open at once at the most, accepted in all. */
  readonly live: number;
  readonly peak: number;
  readonly accepted: number;
  /** Ends every connection with RST, as a crashed host or a stateful firewall would. */
  reset(): void;
}

/** Starts a TCP server on 127.0.0.1. With `halfOpen` it keeps its side open when the client closes the other one. */
export async function startTcpServer(behave: Behaviour, { halfOpen = false } = {}): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  let peak = 0;
  let accepted = 0;
  const server = createServer({ allowHalfOpen: halfOpen }, (socket) => {
    accepted++;
    sockets.add(socket);
    peak = Math.max(peak, sockets.size);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    behave(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    connectionOptions: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    get live() {
      return sockets.size;
    },
    get peak() {
      return peak;
    },
    get accepted() {
      return accepted;
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Greets, and echoes each line after `delayMs`. */
export function echoesAfter(delayMs: number): Behaviour {
  return (socket) => {
    socket.write('ready\n');
    const lines = createInterface({ input: socket }).on('error', () => {});
    lines.on('line', (line) => setTimeout(() => socket.write(`${line}\n`), delayMs).unref());
  };
}

/** A tarpit: accepts and reads, and never answers. It must read to notice that the client has gone. */
export const neverAnswers: Behaviour = (socket) => {
  socket.resume();
};

/** Lets any PostgreSQL client in, and ignores everything it sends afterwards, its goodbye included. */
export const greetsAsPostgres: Behaviour = (socket) => {
  const authenticated = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
  const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
  socket.resume().once('data', () => socket.write(Buffer.concat([authenticated, readyForQuery])));
};

/** A port without a listener. */
export async function closedPort(): Promise<{ host: string; port: number }> {
  return { host: '127.0.0.1', port: await freePort() };
}
