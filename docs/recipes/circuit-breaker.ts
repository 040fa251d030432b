/**
 * "The warehouse was down. Each request waited ten seconds for it, until all our connections waited, and we were down."
 *
 * Naive: a short timeout: still one second per request, of every request. A circuit breaker remembers that the last calls
 * failed, and fails at once for a while. cockatiel has a good one; the pool stays inside of it, so that an open breaker
 * takes no connection.
 */
import { ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import type { ConnectionPool } from 'latchkey';

/**
 * Opens after five failures in a row that `isOutage` (not: the caller hung up, the query was wrong); tries one call after
 * `halfOpenAfterMs`.
 */
export function guarded<C>(
  pool: ConnectionPool<C>,
  isOutage: (error: unknown) => boolean,
  halfOpenAfterMs = 10_000,
) {
  const breaker = circuitBreaker(handleWhen(isOutage), {
    halfOpenAfter: halfOpenAfterMs,
    breaker: new ConsecutiveBreaker(5),
  });
  return <T>(task: (connection: C) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    breaker.execute(() => pool.use(task, { signal, waitTimeoutMs: 1_000 }), signal);
}
