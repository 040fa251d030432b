/** What an order decides: which waiter is next, and which are refused. */

/** A waiter, as an order sees it. */
export interface OrderedWaiter {
  /** How many units the caller wants. */
  readonly weight: number;
  /** What the caller gave as `partition`; `undefined` without one. */
  readonly partition: unknown;
  /** When it began to wait, by a monotonic clock, in milliseconds. */
  readonly sinceMs: number;
  /**
   * Ends the wait with a `QueueFullError` that carries `retryAfterMs`: after how many milliseconds the caller may try again.
   * The line's `remove` is called in the same turn.
   */
  sendAway(retryAfterMs: number): void;
}

/** The waiters of one queue, in the order in which they are served. It holds every waiter from `add` to `remove`. */
export interface WaitLine {
  /**
   * A caller has begun to wait. The line may refuse other waiters now, not this one. Returns whether it has called user code,
   * which may have freed units, or ended the wait of any caller.
   */
  add(waiter: OrderedWaiter, nowMs: number): boolean;
  /** A waiter has left: it was granted, or else refused, aborted or timed out. Called once for each. */
  remove(waiter: OrderedWaiter, isGranted: boolean): void;
  /**
   * The waiter to serve next; `undefined` only if there is none. It may turn out that its weight does not fit yet: then it is
   * asked for again later. The line may refuse other waiters now.
   */
  next(nowMs: number): OrderedWaiter | undefined;
}
