/**
 * A doubly linked list whose links live in the items themselves: to join and to leave is O(1) and allocates nothing. An item
 * stands in at most one list at a time; `list` tells which. What is to stand in several lists has a `Place` in each.
 */

export abstract class Link<T extends Link<T>> {
  previous: T | undefined = undefined;
  next: T | undefined = undefined;
  list: LinkedList<T> | undefined = undefined;

  /** Takes the item out of its list; false when it stands in none. */
  leave(): boolean {
    const { list, previous, next } = this;
    if (list === undefined) return false;
    if (previous === undefined) list.head = next;
    else previous.next = next;
    if (next === undefined) list.tail = previous;
    else next.previous = previous;
    // Both links are cleared: an item that left would otherwise keep its old neighbours alive.
    this.previous = this.next = this.list = undefined;
    if (--list.size === 0) list.onEmpty();
    return true;
  }
}

export class Place<I> extends Link<Place<I>> {
  readonly item: I;

  constructor(item: I) {
    super();
    this.item = item;
  }
}

export class LinkedList<T extends Link<T>> {
  head: T | undefined = undefined;
  tail: T | undefined = undefined;
  size = 0;

  push(item: T): void {
    item.list = this;
    item.previous = this.tail;
    if (this.tail === undefined) this.head = item;
    else this.tail.next = item;
    this.tail = item;
    this.size++;
  }

  /** The last item has left. */
  onEmpty(): void {}
}
