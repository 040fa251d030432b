import type { WaitDetails } from '../contract/errors.js';
import { now, type Timer } from '../runtime/clock.js';
import { Link, LinkedList } from '../waiting/linked-list.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import type { QueueOwner } from '../waiting/waiter.js';
import type { PoolLease } from './lease.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { SlotCounts } from './slot-counts.js';

const firstBackoffMs = 50;
const longestBackoffMs = 5_000;

/** What a key asks of the pool. */
export interface KeyOwner<C, K> {
  /** The pool that users know. */
  readonly observed: object;
  canServe(key: KeyState<C, K>, stuck: { has(lease: object): boolean }): boolean;
  onLeave(key: KeyState<C, K>, why: 'aborted' | 'timedOut'): void;
  describe(key: KeyState<C, K>, waitedMs: number): WaitDetails;
}

/** All that is known of a key; exists while it has a slot, a waiter or a backoff. */
export class KeyState<C, K> implements QueueOwner {
  readonly key: K;
  readonly id: unknown;
  #queue: WaitQueue<PoolLease<C, K>> | undefined;
  readonly counts = new SlotCounts();
  readonly spare = new LinkedList<Link<Slot<C, K>>>();
  generation = 0;

  /** How many slots it wants and cannot have yet, and since when; it stands in the pool's line of starved keys. */
  demand = 0;
  starvedSinceMs = 0;
  readonly starved = new Link<KeyState<C, K>>(this);

  /** Dials that failed in a row. While there are any, one dial at a time probes. */
  failures = 0;
  lastError: unknown = undefined;
  backoff: { readonly endsMs: number; readonly timer: Timer; readonly background: boolean } | undefined;

  readonly #owner: KeyOwner<C, K>;
  readonly #settings: PoolSettings;

  constructor(key: K, id: unknown, settings: PoolSettings, owner: KeyOwner<C, K>) {
    this.key = key;
    this.id = id;
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Made when somebody first waits: a key whose connection is always ready never has one. */
  get queue(): WaitQueue<PoolLease<C, K>> {
    this.#queue ??= new WaitQueue(this);
    return this.#queue;
  }

  get observed(): object {
    return this.#owner.observed;
  }

  canServe(stuck: { has(lease: object): boolean }): boolean {
    return this.#owner.canServe(this, stuck);
  }

  get waiting(): number {
    return this.#queue?.size ?? 0;
  }

  /** Leases that what is under way will bring: dials, and connections being checked. */
  get leasesToCome(): number {
    return (this.counts.connecting + this.counts.checking) * this.#settings.leasesPerConnection;
  }

  /** Connections that can, or soon can, serve this key. */
  get serving(): number {
    return this.counts.total - this.counts.leaving;
  }

  /** How many dials the waiters justify: never more than are unmet, than the key may have, or than may run at once. */
  get slotsWanted(): number {
    const { leasesPerConnection, maxPerKey, maxConnecting } = this.#settings;
    const unmet = Math.ceil((this.waiting - this.leasesToCome) / leasesPerConnection);
    const dialsAtOnce = this.failures > 0 ? 1 : maxConnecting;
    return Math.max(0, Math.min(unmet, maxPerKey - this.counts.total, dialsAtOnce - this.counts.connecting));
  }

  /** Nothing is left that would have to be remembered. */
  get quiet(): boolean {
    return this.counts.total === 0 && this.waiting === 0 && this.backoff === undefined;
  }

  /**
   * Counts a failed dial, once for all dials that began together, and tells how long to wait before the next:
   * full jitter, so that a fleet does not come back in step.
   */
  countFailure(failuresBefore: number, error: unknown): number {
    this.lastError = error;
    if (this.backoff !== undefined) return Math.max(0, this.backoff.endsMs - now());
    if (failuresBefore === this.failures) this.failures++;
    return Math.random() * Math.min(longestBackoffMs, firstBackoffMs * 2 ** (this.failures - 1));
  }

  forgetFailures(): void {
    this.failures = 0;
    this.lastError = undefined;
    this.endBackoff();
  }

  endBackoff(): void {
    this.backoff?.timer.cancel();
    this.backoff = undefined;
  }

  /** What is open or being dialled now is not wanted any more; what failed may work again. */
  startGeneration(): void {
    this.generation++;
    this.forgetFailures();
  }

  onLeave(why: 'aborted' | 'timedOut'): void {
    this.#owner.onLeave(this, why);
  }

  describe(waitedMs: number): WaitDetails {
    return this.#owner.describe(this, waitedMs);
  }

  cause(): ErrorOptions | undefined {
    return this.lastError === undefined ? undefined : { cause: this.lastError };
  }
}
