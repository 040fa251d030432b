/** One background timer for all idle connections, armed for the earliest that is due. */
import { now, setTimer, type Timer } from '../runtime/clock.js';
import type { Link, LinkedList } from '../waiting/linked-list.js';
import type { DeferredCalls } from './deferred-calls.js';
import type { Slot } from './slot.js';

interface SweepOwner<C, K> {
  onDue(slot: Slot<C, K>, nowMs: number): void;
  untilMs(slot: Slot<C, K>): number;
}

export class IdleSweep<C, K> {
  readonly #idle: LinkedList<Link<Slot<C, K>>>;
  readonly #deferred: DeferredCalls;
  readonly #owner: SweepOwner<C, K>;
  #armed: { readonly dueMs: number; readonly timer: Timer } | undefined;

  constructor(idle: LinkedList<Link<Slot<C, K>>>, deferred: DeferredCalls, owner: SweepOwner<C, K>) {
    this.#idle = idle;
    this.#deferred = deferred;
    this.#owner = owner;
  }

  /** Sees to it that the sweep comes at `dueMs` at the latest. */
  by(dueMs: number): void {
    if (dueMs < (this.#armed?.dueMs ?? Infinity)) this.#arm(dueMs);
  }

  /** Apart from `by`: V8 allocates a context on every call of a function that contains closures. */
  #arm(dueMs: number): void {
    this.#armed?.timer.cancel();
    const sweep = () => this.#deferred.run(() => this.#sweep());
    const delayMs = Math.max(0, dueMs - now());
    const timer = this.#deferred.context.run(setTimer, sweep, delayMs, { background: true });
    this.#armed = { dueMs, timer };
  }

  stop(): void {
    this.#armed?.timer.cancel();
    this.#armed = undefined;
  }

  #sweep(): void {
    this.#armed = undefined;
    const nowMs = now();
    const due: Slot<C, K>[] = [];
    let nextMs = Infinity;
    for (let link = this.#idle.head; link !== undefined; link = link.next) {
      const untilMs = this.#owner.untilMs(link.item);
      if (untilMs <= nowMs) due.push(link.item);
      else nextMs = Math.min(nextMs, untilMs);
    }
    for (const slot of due) if (slot.idle.list !== undefined) this.#owner.onDue(slot, nowMs);
    this.by(nextMs);
  }
}
