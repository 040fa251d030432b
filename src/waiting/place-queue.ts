/**
 * PlaceQueue: a queue in a chain of arrays. An item that joins gets a place; an item that leaves makes a hole.
 *
 * Invariants
 *   PQ1  Items are found in the order in which they joined, whatever has left in between.
 *   PQ2  An item that has left is not kept alive by the queue, and a block without items leaves the chain, so that a queue
 *        whose oldest item stays for ever does not grow while others come and go.
 *
 * Cost: joining, leaving and finding the oldest item are O(1); each hole is passed once. A doubly linked list of a hundred
 *   thousand items costs up to twice as much, because the garbage collector follows every link.
 */

/** Places of the first block, which is enough for most queues, and of the others. */
const firstSize = 16;
const blockSize = 256;

/** Something that can stand in a PlaceQueue, in one at a time. */
export interface Placed<T extends Placed<T>> {
  block: Block<T> | undefined;
  place: number;
}

/** Takes the item out of its queue; false when it is in none. */
export function leavePlace<T extends Placed<T>>(item: Placed<T>): boolean {
  const { block } = item;
  if (block === undefined) return false;
  item.block = undefined;
  block.places[item.place] = undefined;
  block.queue.size--;
  if (--block.items === 0) block.queue.onEmptyBlock(block);
  return true;
}

/** A place in a queue for an item that has places in several. */
export class Place<I> implements Placed<Place<I>> {
  block: Block<Place<I>> | undefined = undefined;
  place = 0;
  readonly item: I;

  constructor(item: I) {
    this.item = item;
  }

  leave(): boolean {
    return leavePlace(this);
  }
}

class Block<T extends Placed<T>> {
  readonly queue: PlaceQueue<T>;
  readonly places: (T | undefined)[];
  previous: Block<T> | undefined;
  next: Block<T> | undefined = undefined;
  items = 0;
  /** Before it there are only holes. */
  first = 0;
  end = 0;

  constructor(queue: PlaceQueue<T>, previous: Block<T> | undefined) {
    this.queue = queue;
    this.places = new Array(previous === undefined ? firstSize : blockSize);
    this.previous = previous;
  }
}

export class PlaceQueue<T extends Placed<T>> {
  size = 0;
  #head: Block<T> | undefined = undefined;
  #tail: Block<T> | undefined = undefined;

  /** The oldest item. */
  get head(): T | undefined {
    if (this.size === 0) return undefined;
    // A block has items, unless it is the last one.
    const block = this.#head!;
    const { places } = block;
    let { first } = block;
    while (places[first] === undefined) first++;
    block.first = first;
    return places[first];
  }

  push(item: T): void {
    let tail = this.#tail;
    if (tail === undefined || tail.end === tail.places.length) {
      const block = new Block(this, tail);
      if (tail === undefined) this.#head = block;
      else tail.next = block;
      tail = this.#tail = block;
    }
    item.block = tail;
    item.place = tail.end;
    tail.places[tail.end++] = item;
    tail.items++;
    this.size++;
  }

  /** Called by its blocks. The last block stays in the chain, and its places are used again. */
  onEmptyBlock(block: Block<T>): void {
    const { previous, next } = block;
    if (next === undefined) block.first = block.end = 0;
    else {
      next.previous = previous;
      if (previous === undefined) this.#head = next;
      else previous.next = next;
    }
    if (this.size === 0) this.onEmpty();
  }

  /** Called when the last item has left. */
  onEmpty(): void {}

  /** All items, the oldest first. */
  items(): T[] {
    const items: (T | undefined)[] = [];
    for (let block = this.#head; block !== undefined; block = block.next) items.push(...block.places);
    return items.filter((item) => item !== undefined);
  }
}
