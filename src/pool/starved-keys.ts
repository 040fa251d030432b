/**
 * The line of keys that want a slot, the longest waiting first. Each gets one slot per turn.
 *
 * Keys whose server is in doubt stand in a second line. They get free slots that no other key wants. No connection of
 * another key is closed for them.
 */
import { now } from '../runtime/clock.js';
import { type Link, LinkedList } from '../waiting/linked-list.js';
import type { KeyState } from './key-state.js';
import type { Slot } from './slot.js';

/** A key that has starved this long may take a slot from a connection that has lived this long. */
export const timeSliceMs = 100;

type Line<C, K> = LinkedList<Link<KeyState<C, K>>>;

export class StarvedKeys<C, K> {
  readonly #promising: Line<C, K> = new LinkedList();
  readonly #doubtful: Line<C, K> = new LinkedList();
  #demand = 0;
  #promisingDemand = 0;

  /** How many slots all keys want together. */
  get demand(): number {
    return this.#demand;
  }

  /** Of these, the slots for which a connection of another key may be closed. */
  get promisingDemand(): number {
    return this.#promisingDemand;
  }

  /** The promising key whose turn it is. */
  get first(): KeyState<C, K> | undefined {
    return this.#promising.head?.item;
  }

  /** Says how many slots a key wants: it joins the end of its line, keeps its place, changes the line, or leaves. */
  want(key: KeyState<C, K>, slots: number): void {
    this.#forget(key);
    key.demand = slots;
    if (slots === 0) {
      key.starved.leave();
      return;
    }
    const nowMs = now();
    key.demandIsPromising = key.isPromising(nowMs);
    this.#demand += slots;
    if (key.demandIsPromising) this.#promisingDemand += slots;
    const line = key.demandIsPromising ? this.#promising : this.#doubtful;
    if (key.starved.list === line) return;
    if (!key.starved.leave()) key.starvedSinceMs = nowMs;
    line.push(key.starved);
  }

  #forget(key: KeyState<C, K>): void {
    this.#demand -= key.demand;
    if (key.demandIsPromising) this.#promisingDemand -= key.demand;
  }

  /** Takes the key whose turn it is out of the line. The caller must say with `want` what it still wants. */
  next(): KeyState<C, K> | undefined {
    const head = this.#promising.head ?? this.#doubtful.head;
    head?.leave();
    return head?.item;
  }

  /** When the first key that is in doubt may be tried again; `Infinity`: no time is known. */
  get nextTrialMs(): number {
    let dueMs = Infinity;
    for (let link = this.#doubtful.head; link !== undefined; link = link.next) {
      dueMs = Math.min(dueMs, link.item.nextTrialMs);
    }
    return dueMs;
  }

  /** Time has passed: a key that was in doubt may be tried again. */
  review(): void {
    for (let link = this.#doubtful.head; link !== undefined; ) {
      const key = link.item;
      link = link.next;
      this.want(key, key.demand);
    }
  }

  /** Whether the time slice of a busy connection is over: another key has starved, and the connection has lived, for that long. */
  mayTake(slot: Slot<C, K>, leaving: number, nowMs: number): boolean {
    const { head } = this.#promising;
    const other = head?.item === slot.key ? head.next : head;
    const ownDemand = slot.key.demandIsPromising ? slot.key.demand : 0;
    return (
      other !== undefined &&
      leaving < this.#promisingDemand - ownDemand &&
      nowMs - other.item.starvedSinceMs >= timeSliceMs &&
      nowMs - slot.bornMs >= timeSliceMs
    );
  }

  /** Moves a key that gave a slot up to the end of the line, because it would get the same slot back. */
  sendToEnd(key: KeyState<C, K>, nowMs: number): void {
    const line = key.starved.list;
    if (key.demand === 0 || line === undefined) return;
    key.starved.leave();
    key.starvedSinceMs = nowMs;
    line.push(key.starved);
  }
}
