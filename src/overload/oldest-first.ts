/** First come, first served: the order of `fairShare` inside a partition, if it is given no other. */
import { Link, LinkedList } from '../waiting/linked-list.js';
import { LineOrder } from './line-order.js';
import type { OrderedWaiter, WaitLine } from './wait-line.js';

/** Waiters by arrival. Adding and removing are O(1). */
export class Arrivals extends LinkedList<Link<OrderedWaiter>> {
  readonly #links = new Map<OrderedWaiter, Link<OrderedWaiter>>();

  add(waiter: OrderedWaiter, _nowMs: number): boolean {
    const link = new Link(waiter);
    this.#links.set(waiter, link);
    this.push(link);
    return false;
  }

  remove(waiter: OrderedWaiter, _isGranted: boolean): void {
    this.#links.get(waiter)?.leave();
    this.#links.delete(waiter);
  }
}

class OldestFirst extends Arrivals implements WaitLine {
  next(): OrderedWaiter | undefined {
    return this.head?.item;
  }
}

/** First come, first served. */
export const oldestFirst = new LineOrder(() => new OldestFirst());
