/** The seam for queues that are not first come, first served. A program that passes no order ships none. */
import type { WaitQueue } from './wait-queue.js';
import type { QueueOwner } from './waiter.js';

/**
 * The order in which the waiters of a semaphore are served: made by `controlledDelay` and `fairShare` of `latchkey/overload`.
 * One order can be given to several objects. Without an order, waiters are served first come, first served.
 */
export interface WaitOrder {
  /** @internal An empty queue in this order. */
  queue<T>(owner: QueueOwner): WaitQueue<T, number>;
}
