/**
 * One `abort` listener per signal, however many wait on it. `addEventListener` is O(n) in the listeners already
 * there and warns from the eleventh on, so a signal that ends a whole request's work gets one listener and a list.
 *
 * Invariant AL1: a signal has our listener exactly while somebody waits on it.
 * `AbortSignal.any` is not used anywhere: on a long-lived signal what it makes is never collected.
 */
import { Link, LinkedList } from './linked-list.js';

export interface Abortable {
  onAbort(reason: unknown): void;
}

/** Those who wait on one signal, from the first to the last of them. */
class SignalListeners extends LinkedList<Link<Abortable>> {
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    super();
    this.#signal = signal;
    signal.addEventListener('abort', this, { once: true });
  }

  /** Once aborted, the signal lets go of it by itself, which costs less. */
  override onEmpty(): void {
    try {
      if (this.#signal.aborted) return;
      listenersBySignal.delete(this.#signal);
      this.#signal.removeEventListener('abort', this);
    } catch {
      // Whoever frees a permit must not suffer for the signal of the one who gets it.
    }
  }

  /** Called by the signal. */
  handleEvent(): void {
    const { reason } = this.#signal;
    for (let first = this.head; first !== undefined; first = this.head) {
      first.leave();
      first.item.onAbort(reason);
    }
  }
}

const listenersBySignal = new WeakMap<AbortSignal, SignalListeners>();

/**
 * Calls `target.onAbort(signal.reason)` once when the signal aborts, unless the place that it returns has been left
 * before. The signal must not be aborted yet.
 */
export function onAbort(signal: AbortSignal, target: Abortable): Link<Abortable> {
  let listeners = listenersBySignal.get(signal);
  if (listeners === undefined) {
    listeners = new SignalListeners(signal);
    listenersBySignal.set(signal, listeners);
  }
  const link = new Link(target);
  listeners.push(link);
  return link;
}
