/**
 * A doubly linked list whose links live in the items themselves: joining and leaving are O(1) and allocate nothing. An item
 * is in at most one list at a time, its `list`. An item that has to be in several lists has a `Link` in each.
 */

export interface Linked<T extends Linked<T>> {
  previous: T | undefined;
  next: T | undefined;
  list: LinkedList<T> | undefined;
}

/** Takes the item out of its list; false when it is in none. */
export function leave<T extends Linked<T>>(item: Linked<T>): boolean {
  const { list, previous, next } = item;
  if (list === undefined) return false;
  if (previous === undefined) list.head = next;
  else previous.next = next;
  if (next === undefined) list.tail = previous;
  else next.previous = previous;
  // Both links are cleared: an item that left would otherwise keep its old neighbours alive.
  item.previous = item.next = item.list = undefined;
  if (--list.size === 0) list.onEmpty();
  return true;
}

export class Link<I> implements Linked<Link<I>> {
  previous: Link<I> | undefined = undefined;
  next: Link<I> | undefined = undefined;
  list: LinkedList<Link<I>> | undefined = undefined;
  readonly item: I;

  constructor(item: I) {
    this.item = item;
  }

  leave(): boolean {
    return leave(this);
  }
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

  /** Called when the last item has left. */
  onEmpty(): void {}
}
