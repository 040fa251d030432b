/** The common interfaces of all subjects, so that two rows differ only in the package. */
import type { Takes, Task, Use } from '../harness/callers.js';

export type Run = <T>(task: Task<T>) => Promise<T>;

export type RunKeyed = <T>(key: number, task: Task<T>) => Promise<T>;

export interface Dialler<C> {
  /** `signal` comes from packages that can cancel a dial. */
  connect(key: number, signal?: AbortSignal): Promise<C>;
  close(connection: C): Promise<void>;
  /** With it, each package checks a connection before it hands it out. */
  isAlive?(connection: C): boolean;
  /** For packages that listen for the loss of a connection. */
  onLost?(connection: C, lost: (error: Error) => void): void;
}

export interface PoolTerms {
  /** Connections in total, or per key for packages whose pools have no keys. */
  readonly max: number;
  readonly waitTimeoutMs?: number;
  /** For packages that can share a connection. */
  readonly leasesPerConnection?: number;
}

export interface KeyedPool<C> {
  use<T>(key: number, task: (connection: C) => Promise<T>): Promise<T>;
  /** Of a package without a `use` of its own: what `use` is made of. */
  readonly takes?: Takes<[number]>;
  close(): Promise<void>;
}

export type MakePool = <C>(dialler: Dialler<C>, terms: PoolTerms) => KeyedPool<C>;

/** How callers use one key of a pool, as the rows of time see it. */
export function useOf(pool: KeyedPool<unknown>, key: number): Use {
  const { takes } = pool;
  if (takes === undefined) return (task) => pool.use(key, task);
  return { take: () => takes.take(key), giveBack: (connection) => takes.giveBack(connection, key) };
}

interface UnkeyedPool {
  close(): Promise<void>;
}

interface UsablePool<C> extends UnkeyedPool {
  use<T>(task: (connection: C) => Promise<T>): Promise<T>;
}

interface TakablePool<C> extends UnkeyedPool, Takes<[], C> {}

/** What users of a pool without keys do: a Map of pools, one per host, with no bound over all of them. */
export function poolPerKey<C>(makePool: (key: number) => UsablePool<C>): KeyedPool<C> {
  const pools = new PoolMap(makePool);
  return { use: (key, task) => pools.get(key).use(task), close: () => pools.close() };
}

/** The same for a pool that is asked for a connection and gets it back. */
export function takablePoolPerKey<C>(makePool: (key: number) => TakablePool<C>): KeyedPool<C> {
  const pools = new PoolMap(makePool);
  return {
    async use(key, task) {
      const pool = pools.get(key);
      const connection = await pool.take();
      try {
        return await task(connection);
      } finally {
        pool.giveBack(connection);
      }
    },
    takes: {
      take: (key) => pools.get(key).take(),
      giveBack: (connection, key) => pools.get(key).giveBack(connection as C),
    },
    close: () => pools.close(),
  };
}

class PoolMap<P extends UnkeyedPool> {
  readonly #pools = new Map<number, P>();
  readonly #make: (key: number) => P;

  constructor(make: (key: number) => P) {
    this.#make = make;
  }

  get(key: number): P {
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = this.#make(key);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }
}
