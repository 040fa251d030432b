import type { ConnectionPool } from 'latchkey';

/** "A short timeout limits the damage to one second." But every request waits that second until the outage ends. */
export function impatient<C>(pool: ConnectionPool<C>) {
  return <T>(task: (connection: C) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    pool.use(task, { signal, waitTimeoutMs: 1_000 });
}
