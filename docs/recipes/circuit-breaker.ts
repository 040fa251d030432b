/**
 * "The warehouse was down. Each request waited for it until it timed out, until all of us waited, and we were down."
 *
 * A circuit breaker remembers that the last calls failed, and fails at once for a while. cockatiel has a good one; the pool
 * stays inside of it, so that an open breaker takes no connection and no place in line.
 */
import { ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import type { ConnectionPool } from 'latchkey';

/** There was no connection to be had: refused, or not within the second. Queries that are wrong are no outage. */
export function noConnection(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ERR_CONNECT' || code === 'ERR_WAIT_TIMEOUT';
}

/** Opens after five outages in a row; after `halfOpenAfterMs` it lets one call try. */
export function guarded<C>(pool: ConnectionPool<C>, halfOpenAfterMs = 10_000, isOutage = noConnection) {
  const breaker = circuitBreaker(handleWhen(isOutage), {
    halfOpenAfter: halfOpenAfterMs,
    breaker: new ConsecutiveBreaker(5),
  });
  // Now, not when the pool's own pause between dials is over; and no connection from before the outage.
  breaker.onHalfOpen(() => pool.reset());
  return <T>(task: (connection: C) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    breaker.execute(() => pool.use(task, { signal, waitTimeoutMs: 1_000 }), signal);
}
