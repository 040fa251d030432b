/**
 * "The warehouse service was down. Each of our requests waited for it until its timeout. So we were down too."
 *
 * A circuit breaker remembers that the last calls failed, and rejects calls at once for a while. The breaker comes from
 * cockatiel. It wraps the pool, so calls that it rejects take no connection and no place in the queue.
 */
import { ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import type { ConnectionPool } from 'latchkey';

/** True if the pool gave no connection: the dial failed, or the wait timed out. A failed query is not an outage. */
export function noConnection(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ERR_CONNECT' || code === 'ERR_WAIT_TIMEOUT';
}

/** Opens after five outages in a row. After `halfOpenAfterMs`, one call may try. */
export function guarded<C>(pool: ConnectionPool<C>, halfOpenAfterMs = 10_000, isOutage = noConnection) {
  const breaker = circuitBreaker(handleWhen(isOutage), {
    halfOpenAfter: halfOpenAfterMs,
    breaker: new ConsecutiveBreaker(5),
  });
  // Dial at once, without the rest of the pool's own pause, and use no connection from before the outage.
  breaker.onHalfOpen(() => pool.reset());
  return <T>(task: (connection: C) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    breaker.execute(() => pool.use(task, { signal, waitTimeoutMs: 1_000 }), signal);
}
