/** Pools as subjects: a fresh pool per sample. The server counts the connects and the peak shown beside the time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Counts, Subject } from '../../harness/subjects.js';
import type { Dialler, KeyedPool, MakePool, PoolTerms } from '../../rivals/rival.js';
import { Connection } from '../../servers/handshake-client.js';
import type { HandshakeServer } from '../../servers/handshake-server.js';
import type { Behaviour } from '../../servers/protocol.js';

type Described = Omit<Subject, 'sample'>;

export const tcpDialler: Dialler<Connection> = {
  connect: Connection.open,
  close: (connection) => connection.close(),
};

/** The same for servers that hang or hang up: a dial gives up after 10 s, and a dead connection is noticed. */
export const watchfulDialler: Dialler<Connection> = {
  ...tcpDialler,
  connect: (port, signal) =>
    signal === undefined ? openWithin(10_000, port) : Connection.open(port, signal),
  isAlive: (connection) => connection.isAlive,
  onLost: (connection, lost) => connection.onLost(lost),
};

async function openWithin(timeoutMs: number, port: number): Promise<Connection> {
  const dial = new AbortController();
  const timer = setTimeout(() => dial.abort(), timeoutMs);
  try {
    return await Connection.open(port, dial.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** A subject that runs `use` on a pool of connections to the server; the server counts them. */
export function onServer(
  subject: Described,
  setting: { server: HandshakeServer; behaviour?: Partial<Behaviour>; makePool: MakePool; terms: PoolTerms },
  use: (pool: KeyedPool<Connection>) => Promise<Counts | void>,
): Subject {
  const { server, behaviour, makePool, terms } = setting;
  return {
    ...subject,
    sample: async () => {
      await server.begin(behaviour);
      const pool = makePool(tcpDialler, terms);
      const startedMs = performance.now();
      const extra = await use(pool);
      const ms = performance.now() - startedMs;
      await pool.close();
      const { connects, peak } = await server.counts();
      return { cost: ms, counts: { connects, peak, ...extra } };
    },
  };
}

/** Makes connections in memory, where a network would only add noise, and counts them as a server would. */
export class CountingDialler implements Dialler<object> {
  readonly #connectMs: number;
  #open = 0;
  connects = 0;
  peak = 0;

  constructor(connectMs: number) {
    this.#connectMs = connectMs;
  }

  readonly connect = async (): Promise<object> => {
    this.connects++;
    this.peak = Math.max(this.peak, ++this.#open);
    await sleep(this.#connectMs);
    return {};
  };

  readonly close = async (): Promise<void> => {
    this.#open--;
  };
}

/** A subject that runs `use` on a pool of connections in memory; each takes `connectMs` to open. */
export function inMemory(
  subject: Described,
  setting: { connectMs: number; makePool: MakePool; terms: PoolTerms },
  use: (pool: KeyedPool<object>) => Promise<Counts | void>,
): Subject {
  const { connectMs, makePool, terms } = setting;
  return {
    ...subject,
    sample: async () => {
      const dialler = new CountingDialler(connectMs);
      const pool = makePool(dialler, terms);
      const startedMs = performance.now();
      const extra = await use(pool);
      const ms = performance.now() - startedMs;
      await pool.close();
      return { cost: ms, counts: { connects: dialler.connects, peak: dialler.peak, ...extra } };
    },
  };
}

export const noWork = async (): Promise<void> => {};
