import { now } from '../runtime/clock.js';
import { type Link, LinkedList } from '../waiting/linked-list.js';
import type { KeyState } from './key-state.js';
import type { Slot } from './slot.js';

/** A key that has starved this long may take a slot from a connection that has lived this long. */
const timeSliceMs = 100;

/** The line of keys that want a slot, the longest waiting first. Each gets one slot per turn. */
export class StarvedKeys<C, K> {
  readonly #queue = new LinkedList<Link<KeyState<C, K>>>();
  #demand = 0;

  /** How many slots all of them want together. */
  get demand(): number {
    return this.#demand;
  }

  /** Says how many slots a key wants: it joins the end of the line, keeps its place, or leaves. */
  want(key: KeyState<C, K>, slots: number): void {
    this.#demand += slots - key.demand;
    key.demand = slots;
    if (slots === 0) key.starved.leave();
    else if (key.starved.list === undefined) this.#join(key, now());
  }

  /** Takes the key whose turn it is out of the line; what it still wants it must say again. */
  next(): KeyState<C, K> | undefined {
    const { head } = this.#queue;
    head?.leave();
    return head?.item;
  }

  /** Whether the time slice of a busy connection is over: another key has starved long enough, and it has lived so long. */
  mayTake(slot: Slot<C, K>, leaving: number, nowMs: number): boolean {
    const { head } = this.#queue;
    const other = head?.item === slot.key ? head.next : head;
    return (
      other !== undefined &&
      leaving < this.#demand - slot.key.demand &&
      nowMs - other.item.starvedSinceMs >= timeSliceMs &&
      nowMs - slot.bornMs >= timeSliceMs
    );
  }

  /** A key that gives a slot up goes to the end of the line, or it would get the same slot back. */
  sendToEnd(key: KeyState<C, K>, nowMs: number): void {
    if (key.demand === 0) return;
    key.starved.leave();
    this.#join(key, nowMs);
  }

  #join(key: KeyState<C, K>, nowMs: number): void {
    key.starvedSinceMs = nowMs;
    this.#queue.push(key.starved);
  }
}
