/**
 * A doubly linked list whose links live in the items themselves: push and remove are O(1) and allocate nothing. An item stands in at most one list at a time; `list` tells which.
 */

export interface Linked<T extends Linked<T>> {
  previous: T | undefined;
  next: T | undefined;
  list: LinkedList<T> | undefined;
}

export class LinkedList<T extends Linked<T>> {
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

  /** Takes the item out; says whether it was in this list. */
  remove(item: T): boolean {
    if (item.list !== this) return false;
    const { previous, next } = item;
    if (previous === undefined) this.head = next;
    else previous.next = next;
    if (next === undefined) this.tail = previous;
    else next.previous = previous;
    // Both links are cleared: a node that left would otherwise keep its old neighbours alive.
    item.previous = undefined;
    item.next = undefined;
    item.list = undefined;
    this.size--;
    return true;
  }
}
