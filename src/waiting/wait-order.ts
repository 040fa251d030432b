/** The seam for queues that are not first come, first served. A program that passes no order ships none. */
import { checkObject } from '../contract/arguments.js';
import type { WaitQueue } from './wait-queue.js';
import type { QueueOwner } from './waiter.js';

/**
 * The order in which the waiters of a semaphore or of a pool's key are served: made by `controlledDelay` and `fairShare` of `latchkey/overload`.
 * One order can be given to several objects. Without an order, waiters are served first come, first served.
 */
export interface WaitOrder {
  /** @internal An empty queue in this order. */
  queue<T, D>(owner: QueueOwner): WaitQueue<T, D>;
}

/** @throws TypeError unless it is an order, or none. */
export function checkOrder(order: WaitOrder | undefined): void {
  if (order === undefined) return;
  checkObject('order', order);
  if (typeof order.queue === 'function') return;
  throw new TypeError(
    'order must be an order of latchkey/overload, such as controlledDelay(), got an object',
  );
}
