import type { Socket } from './node-parts.js';

/**
 * The messages between a holder and a waiter. Exclusion never depends on them: a message only says when to look. So a peer that
 * is silent, that lies, or that has another version only makes others slower.
 */
export interface Message {
  /** Of a waiter: since when it waits, in nanoseconds of the machine's monotonic clock. */
  readonly since?: string;
  /** Of a waiter: the name has a new holder. */
  readonly bound?: true;
  /** Of a holder: its process. */
  readonly pid?: number;
  /** Of a holder: the name is free, and this waiter is next. */
  readonly next?: true;
  /** Of a holder: another waiter is next, and will be the one to wait with. */
  readonly moved?: true;
}

const longestLine = 1_000;

/** One end of a connection: a JSON object per line. What is unknown is ignored, what is no message ends the connection. */
export class Peer {
  onMessage: (message: Message) => void = () => {};
  onClose: () => void = () => {};
  readonly #socket: Socket;
  #text = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (text) => this.#read(text));
    socket.on('close', () => this.onClose());
  }

  send(message: Message): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Closes the connection once everything is sent, whether or not the other end reads it. */
  leave(last?: Message): void {
    if (last !== undefined) this.send(last);
    this.#socket.destroySoon();
  }

  #read(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop()!;
    try {
      if (this.#text.length > longestLine) throw new RangeError('the message is too long');
      for (const line of lines) this.onMessage(Object(JSON.parse(line)));
    } catch {
      this.#socket.destroy();
    }
  }
}
