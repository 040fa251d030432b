/** The shapes in which the benches see every subject, so that a row differs from the next by its package alone. */
export type Task<T> = () => Promise<T>;

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
  /** Connections in all; of a package whose pools have no keys, per key. */
  readonly max: number;
  readonly waitTimeoutMs?: number;
  /** Of packages that can share a connection. */
  readonly leasesPerConnection?: number;
}

export interface KeyedPool<C> {
  use<T>(key: number, task: (connection: C) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type MakePool = <C>(dialler: Dialler<C>, terms: PoolTerms) => KeyedPool<C>;

/** What users of a pool without keys do: a Map of pools, one per host, with no bound over all of them. */
export function poolPerKey<C>(
  makePool: (key: number) => Omit<KeyedPool<C>, 'use'> & UnkeyedUse<C>,
): KeyedPool<C> {
  const pools = new Map<number, ReturnType<typeof makePool>>();
  return {
    use(key, task) {
      let pool = pools.get(key);
      if (pool === undefined) {
        pool = makePool(key);
        pools.set(key, pool);
      }
      return pool.use(task);
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}

interface UnkeyedUse<C> {
  use<T>(task: (connection: C) => Promise<T>): Promise<T>;
}
