/** An order made of a line: each queue gets a line of its own. */
import type { WaitOrder } from '../waiting/wait-order.js';
import type { WaitQueue } from '../waiting/wait-queue.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { OrderedQueue } from './ordered-queue.js';
import type { WaitLine } from './wait-line.js';

export class LineOrder implements WaitOrder {
  /** An empty line. */
  readonly line: () => WaitLine;

  constructor(line: () => WaitLine) {
    this.line = line;
  }

  queue<T, D>(owner: QueueOwner): WaitQueue<T, D> {
    return new OrderedQueue<T, D>(owner, this.line());
  }
}
