import type { ConnectionPool } from 'latchkey';

/** "With a short timeout it cannot get worse than a second." It is a second, of every request, until the outage ends. */
export function impatient<C>(pool: ConnectionPool<C>) {
  return <T>(task: (connection: C) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    pool.use(task, { signal, waitTimeoutMs: 1_000 });
}
