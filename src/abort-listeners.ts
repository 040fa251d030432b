/**
 * One `abort` listener per signal, however many wait on it. `addEventListener` is O(n) in the listeners already
 * there and warns from the eleventh on, so a signal that ends a whole request's work gets one listener and a list.
 *
 * Invariant A1: a signal has our listener exactly while somebody waits on it.
 * `AbortSignal.any` is not used anywhere: on a long-lived signal what it makes is never collected.
 */
import { type Linked, LinkedList } from './linked-list.js';

export interface Abortable {
  onAbort(reason: unknown): void;
}

/** One party's place on a signal. */
export class AbortSubscription implements Linked<AbortSubscription> {
  previous: AbortSubscription | undefined = undefined;
  next: AbortSubscription | undefined = undefined;
  list: LinkedList<AbortSubscription> | undefined = undefined;
  readonly #listeners: SignalListeners;
  readonly target: Abortable;

  constructor(listeners: SignalListeners, target: Abortable) {
    this.#listeners = listeners;
    this.target = target;
  }

  /** Stops listening; harmless when it already stopped. */
  cancel(): void {
    this.#listeners.remove(this);
  }
}

class SignalListeners {
  readonly #signal: AbortSignal;
  readonly #subscriptions = new LinkedList<AbortSubscription>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(target: Abortable): AbortSubscription {
    if (this.#subscriptions.size === 0) this.#signal.addEventListener('abort', this);
    const subscription = new AbortSubscription(this, target);
    this.#subscriptions.push(subscription);
    return subscription;
  }

  remove(subscription: AbortSubscription): void {
    if (!this.#subscriptions.remove(subscription) || this.#subscriptions.size > 0) return;
    listenersBySignal.delete(this.#signal);
    try {
      this.#signal.removeEventListener('abort', this);
    } catch {
      // Whoever frees a permit must not suffer for the signal of the one who gets it.
    }
  }

  /** Called by the signal. */
  handleEvent(): void {
    const { reason } = this.#signal;
    for (let first = this.#subscriptions.head; first !== undefined; first = this.#subscriptions.head) {
      this.remove(first);
      first.target.onAbort(reason);
    }
  }
}

const listenersBySignal = new WeakMap<AbortSignal, SignalListeners>();

/** Calls `target.onAbort(signal.reason)` once when the signal aborts. The signal must not be aborted yet. */
export function onAbort(signal: AbortSignal, target: Abortable): AbortSubscription {
  let listeners = listenersBySignal.get(signal);
  if (listeners === undefined) {
    listeners = new SignalListeners(signal);
    listenersBySignal.set(signal, listeners);
  }
  return listeners.add(target);
}
