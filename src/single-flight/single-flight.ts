/**
 * SingleFlight: one call per key at a time. Callers that come while it runs share its result.
 *
 * Invariants
 *   F1  Per key at most one call with waiting callers is under way; later callers join it.
 *   F2  Each caller leaves on its own. The shared call is aborted when the last caller has left, and not before.
 *   F3  An aborted call is never joined: the next caller begins a new one.
 *   F4  No result is kept: once a call has settled, either way, the next caller begins a new one.
 *   F5  A call removes only its own entry, never the entry of the call that followed it.
 *   F6  The call's own error carries the async stack of the caller that began it.
 *
 * Hand-over: every waiting caller is settled in the turn in which the call settles, in the order in which they came.
 * Cancel: rejects with `signal.reason` or WaitTimeoutError at once; the other callers are not affected.
 * Cost: an entry per key under way, one promise and one list entry per caller, one more promise per call; O(1) to join
 *   and to leave.
 * The call runs in the async context of the caller that began it. A call that asks for its own key joins itself, and
 *   waits until it gives up.
 * What it is not: a cache. Put one in front of it; see the page. Lineage: Go's singleflight, with a signal per caller.
 */
import {
  checkDuration,
  checkFunction,
  checkOptions,
  checkReceiver,
  type OptionNames,
} from '../contract/arguments.js';
import type { WaitDetails } from '../contract/errors.js';
import type { Awaitable, WaitOptions } from '../contract/types.js';
import { observerNow } from '../runtime/observer.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { forEver, type WaitSettings, waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';

export interface SingleFlightOptions {
  /** The `waitTimeoutMs` of callers that give none, in milliseconds. Default `Infinity`. */
  waitTimeoutMs?: number | undefined;
}

const optionNames: OptionNames<SingleFlightOptions> = { waitTimeoutMs: true };

/**
 * Shares one call per key between the callers that ask for it at the same time, in one process.
 *
 * @example
 * ```ts
 * import { SingleFlight } from 'latchkey/single-flight';
 *
 * const loads = new SingleFlight<string, string>();
 * let queries = 0;
 * const load = async () => {
 *   queries++;
 *   return 'Ada';
 * };
 * const names = await Promise.all([1, 2, 3].map(() => loads.run('user:7', load)));
 * console.log(names.join(), queries); // → Ada,Ada,Ada 1
 * ```
 */
export class SingleFlight<K = string, V = unknown> {
  readonly #flights = new Map<K, Flight<K, V>>();
  readonly #defaults: WaitSettings;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: SingleFlightOptions = {}) {
    checkOptions(options, optionNames);
    const { waitTimeoutMs = Infinity } = options;
    checkDuration('waitTimeoutMs', waitTimeoutMs);
    this.#defaults = waitTimeoutMs === Infinity ? forEver : { signal: undefined, waitTimeoutMs };
  }

  /** How many keys have a call under way. */
  get size(): number {
    return this.#flights.size;
  }

  /** Whether a call for `key` is under way, so that a new caller would join it. */
  has(key: K): boolean {
    checkReceiver('SingleFlight', this, SingleFlight);
    return this.#flights.has(key);
  }

  /**
   * Joins the call for `key` that is under way, or begins `call` at once. Settles as that call does, its error untouched.
   * Keys are compared as in a Map. The `signal` of the call aborts when no caller waits for it any more.
   *
   * Rejects with `signal.reason` or `WaitTimeoutError` when this caller gives up; the other callers are not affected.
   */
  run(key: K, call: (signal: AbortSignal) => Awaitable<V>, options?: WaitOptions): Promise<V> {
    let settings: WaitSettings;
    try {
      checkReceiver('SingleFlight', this, SingleFlight);
      checkFunction('call', call);
      settings = waitSettings(options, this.#defaults);
    } catch (refused) {
      return Promise.reject(refused);
    }
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) return underWay.join(settings);
    const flight = new Flight<K, V>(this, key, (own) => {
      if (this.#flights.get(key) === own) this.#flights.delete(key);
    });
    this.#flights.set(key, flight);
    return flight.begin(settings, call);
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
      observerNow()?.released(flight);
      remove(flight);
    };
  }

  join(settings: WaitSettings): Promise<V> {
    return this.#queue.wait(settings);
  }

  /** Joins as the first caller, and begins the call. */
  begin(settings: WaitSettings, call: (signal: AbortSignal) => Awaitable<V>): Promise<V> {
    const wait = this.join(settings);
    // A signal that cannot be listened to has ended the wait already.
    if (this.#queue.size === 0) return wait;
    const settled = this.#start(call).then(
      (value) => {
        this.#remove(this);
        while (this.#queue.size > 0) this.#queue.grant(value);
        return value;
      },
      (error) => {
        this.#remove(this);
        this.#queue.refuseAll(() => error);
        throw error;
      },
    );
    // F6: a stack is found by following promises from the call to its caller, and the wait is not among them.
    return new Promise((resolve, reject) => {
      wait.then(resolve, reject);
      settled.then(resolve, reject);
    });
  }

  #start(call: (signal: AbortSignal) => Awaitable<V>): Promise<V> {
    const { signal } = this.#controller;
    const observer = observerNow();
    observer?.granted(this, { source: this.source, key: this.#key, weight: 1, limit: 1 });
    const start = () => (observer === undefined ? call(signal) : observer.run(this, () => call(signal)));
    // If the call throws at once, the executor turns that into a rejection.
    return new Promise<V>((resolve) => resolve(start()));
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
