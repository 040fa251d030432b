/**
 * One `abort` listener per signal, shared by all callers that wait on it. `addEventListener` is O(n) in the listeners already
 * there and warns from the eleventh on. A signal that ends a whole request's work gets one listener and a list.
 *
 * Invariants
 *   AL1  A signal has our listener exactly while a caller waits on it.
 *   AL2  The listener is a function: polyfilled signals know no objects with `handleEvent`.
 *   AL3  The reason of an abort is never `undefined`: where a signal has none, it is an AbortError.
 *   AL4  A signal that aborts while it is listened to for the first time is not missed.
 *
 * `AbortSignal.any` is not used anywhere: the signal it makes is never collected while its source lives.
 */
import { Link, LinkedList } from './linked-list.js';

export interface Abortable {
  onAbort(reason: unknown): void;
}

/** The error of an abort for which nobody gave a reason. React Native has no `DOMException`. */
export function abortError(): Error {
  const message = 'This operation was aborted';
  if (typeof DOMException === 'function') return new DOMException(message, 'AbortError');
  return Object.assign(new Error(message), { name: 'AbortError' });
}

/** What an aborted signal's waits reject with. */
export function abortReason({ reason }: AbortSignal): unknown {
  return reason === undefined ? abortError() : reason;
}

/** @throws the reason of the abort, when the signal is aborted already. Signals of polyfills have no such method. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/** The waits on one signal, the oldest first. */
class SignalListeners extends LinkedList<Link<Abortable>> {
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    super();
    this.#signal = signal;
    signal.addEventListener('abort', this.#listener, { once: true });
    throwIfAborted(signal);
  }

  /** An aborted signal drops its listener by itself, which costs less. */
  override onEmpty(): void {
    try {
      if (this.#signal.aborted) return;
      listenersBySignal.delete(this.#signal);
      this.#signal.removeEventListener('abort', this.#listener);
    } catch {
      // A caller that releases a permit must not see an error of the next holder's signal.
    }
  }

  readonly #listener = (): void => {
    const reason = abortReason(this.#signal);
    for (let first = this.head; first !== undefined; first = this.head) {
      first.leave();
      first.item.onAbort(reason);
    }
  };
}

const listenersBySignal = new WeakMap<AbortSignal, SignalListeners>();

/**
 * Calls `target.onAbort(signal.reason)` once when the signal aborts, unless the link that it returns has been left
 * before. The signal must not be aborted yet.
 * @throws the reason of the abort, when the signal aborts meanwhile; what a signal throws that refuses the listener.
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
