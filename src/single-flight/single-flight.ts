/**
 * SingleFlight: one call per key at a time; whoever asks meanwhile gets the same result.
 *
 * Invariants
 *   F1  Per key at most one call that somebody waits for is under way; callers who come meanwhile join it.
 *   F2  Each caller leaves by himself. The shared call is aborted when the last one has left, and not before.
 *   F3  A call that was aborted is never joined: who comes next begins a new one.
 *   F4  Nothing is kept: when a call has settled, either way, the next caller begins a new one.
 *   F5  Only the call that stands in a key's entry removes it.
 *
 * Hand-over: all who wait are settled in the turn in which the call settles, first come first.
 * Cancel: rejects with `signal.reason` or WaitTimeoutError at once, and costs the others nothing.
 * Cost: an entry per key that is under way, one promise and one list entry per caller; O(1) to join and to leave.
 * The call runs in the async context of whoever began it. A call that waits for its own key waits for ever.
 * What it is not: a cache. Put one in front; see the page. Lineage: Go's singleflight, with a signal for each caller.
 */
import { checkFunction } from '../contract/arguments.js';
import type { WaitDetails } from '../contract/errors.js';
import type { Awaitable, WaitOptions } from '../contract/types.js';
import { observer } from '../runtime/observer.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { type WaitSettings, waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';

export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Flight<K, V>>();

  /** How many keys have a call under way. */
  get size(): number {
    return this.#flights.size;
  }

  /** Whether a caller would join. */
  has(key: K): boolean {
    return this.#flights.has(key);
  }

  /**
   * Joins the call for `key` that is under way, or begins `call`, at once; settles as that call does, its error untouched.
   * Keys are compared as in a Map. `signal` of the call aborts when nobody waits for it any more.
   *
   * Rejects with `signal.reason` or `WaitTimeoutError` when this caller gives up; the others are not affected.
   */
  run(key: K, call: (signal: AbortSignal) => Awaitable<V>, options?: WaitOptions): Promise<V> {
    let settings: WaitSettings;
    try {
      checkFunction('call', call);
      settings = waitSettings(options);
    } catch (refused) {
      return Promise.reject(refused);
    }
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) return underWay.join(settings);
    const flight = new Flight<K, V>(this, key, (own) => {
      if (this.#flights.get(key) === own) this.#flights.delete(key);
    });
    this.#flights.set(key, flight);
    const result = flight.join(settings);
    flight.begin(call);
    return result;
  }
}

class Flight<K, V> implements QueueOwner {
  readonly source: SingleFlight<K, V>;
  readonly #key: K;
  readonly #remove: (flight: Flight<K, V>) => void;
  readonly #queue = new WaitQueue<V>(this);
  readonly #controller = new AbortController();

  constructor(source: SingleFlight<K, V>, key: K, remove: (flight: Flight<K, V>) => void) {
    this.source = source;
    this.#key = key;
    this.#remove = (flight) => {
      observer?.released(flight);
      remove(flight);
    };
  }

  join(settings: WaitSettings): Promise<V> {
    return this.#queue.wait(settings);
  }

  begin(call: (signal: AbortSignal) => Awaitable<V>): void {
    const { signal } = this.#controller;
    if (observer !== undefined)
      observer.granted(this, { source: this.source, key: this.#key, weight: 1, limit: 1 });
    const start = () => (observer === undefined ? call(signal) : observer.run(this, () => call(signal)));
    // An executor turns what is thrown at once into a rejection.
    new Promise<V>((resolve) => resolve(start())).then(
      (value) => {
        this.#remove(this);
        while (this.#queue.size > 0) this.#queue.grant(value);
      },
      (error) => {
        this.#remove(this);
        this.#queue.refuseAll(() => error);
      },
    );
  }

  describe(waitedMs: number): WaitDetails {
    return { key: this.#key, waitedMs, held: 1, waiting: this.#queue.size, limit: 1 };
  }

  onLeave(): void {
    if (this.#queue.size > 0) return;
    this.#remove(this);
    this.#controller.abort();
  }
}
