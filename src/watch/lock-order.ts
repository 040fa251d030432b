/**
 * Orders that could deadlock: A then B in one place, B then A in another, even if the two never ran at the same time.
 *
 * Invariants
 *   LO1  Only locks with one holder count, and only those that one task held together.
 *   LO2  Two orders that were both seen under a common lock cannot meet: they are not reported.
 *   LO3  At most `maxOrders` orders are kept; the oldest is forgotten first.
 *
 * Lineage: lockdep, the lock validator of the Linux kernel (Molnar and van de Ven, 2006).
 */
import type { Hold } from './wait-graph.js';

const maxOrders = 4_096;

/** Seen once: `second` was asked for while `first` was held. */
export interface Order {
  readonly first: string;
  readonly second: string;
  readonly firstPlace: string;
  readonly secondPlace: string;
}

interface Seen extends Order {
  readonly from: string;
  readonly to: string;
  /** The other locks that were held each time. */
  readonly gates: Set<string>;
}

export class LockOrders {
  readonly #orders = new Map<string, Seen>();
  readonly #next = new Map<string, Set<string>>();
  readonly #ids = new WeakMap<object, number>();
  #lastId = 0;

  /** Notes that `wanted` is asked for while `held` are held; returns the orders of a circle that this closes. */
  note(held: readonly Hold[], wanted: Hold, name: (hold: Hold) => string): readonly Order[] | undefined {
    const to = this.#idOf(wanted);
    if (to === undefined || wanted.limit !== 1) return undefined;
    const locks = held.filter(({ limit }) => limit === 1);
    const ids = locks.map((hold) => this.#idOf(hold));
    if (ids.includes(to)) return undefined;
    for (const [i, hold] of locks.entries()) {
      const from = ids[i];
      if (from === undefined) continue;
      const gates = new Set(ids.filter((id) => id !== undefined && id !== from));
      const known = this.#orders.get(`${from} ${to}`);
      if (known !== undefined) {
        for (const gate of known.gates) if (!gates.has(gate)) known.gates.delete(gate);
        continue;
      }
      const order: Seen = {
        from,
        to,
        gates: gates as Set<string>,
        first: name(hold),
        second: name(wanted),
        firstPlace: hold.trace.place,
        secondPlace: wanted.trace.place,
      };
      this.#add(order);
      const back = this.#path(to, from, new Set());
      if (back !== undefined && !haveCommonGate([order, ...back])) return [order, ...back];
    }
    return undefined;
  }

  #add(order: Seen): void {
    this.#orders.set(`${order.from} ${order.to}`, order);
    const next = this.#next.get(order.from);
    if (next === undefined) this.#next.set(order.from, new Set([order.to]));
    else next.add(order.to);
    if (this.#orders.size <= maxOrders) return;
    const [oldest] = this.#orders.values();
    if (oldest === undefined) return;
    this.#orders.delete(`${oldest.from} ${oldest.to}`);
    const others = this.#next.get(oldest.from);
    others?.delete(oldest.to);
    if (others?.size === 0) this.#next.delete(oldest.from);
  }

  #path(from: string, to: string, seen: Set<string>): Seen[] | undefined {
    seen.add(from);
    for (const next of this.#next.get(from) ?? []) {
      const order = this.#orders.get(`${from} ${next}`)!;
      if (next === to) return [order];
      const rest = seen.has(next) ? undefined : this.#path(next, to, seen);
      if (rest !== undefined) return [order, ...rest];
    }
    return undefined;
  }

  #idOf({ source, key }: Hold): string | undefined {
    const object = source.deref();
    if (object === undefined) return undefined;
    const ofKey =
      typeof key === 'object' && key !== null ? this.#numberOf(key) : `${typeof key}:${String(key)}`;
    return `${this.#numberOf(object)}/${ofKey}`;
  }

  #numberOf(object: object): number {
    let id = this.#ids.get(object);
    if (id === undefined) {
      id = ++this.#lastId;
      this.#ids.set(object, id);
    }
    return id;
  }
}

function haveCommonGate(orders: readonly Seen[]): boolean {
  const [first, ...others] = orders;
  return [...(first?.gates ?? [])].some((gate) => others.every(({ gates }) => gates.has(gate)));
}
