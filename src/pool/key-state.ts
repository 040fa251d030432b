import type { WaitDetails } from '../contract/errors.js';
import { Link, LinkedList } from '../waiting/linked-list.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { longestBackoffMs } from './failure-memory.js';
import type { PoolLease } from './lease.js';
import type { Trace } from './lease-watch.js';
import { ServerHealth } from './server-health.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { SlotCounts } from './slot-counts.js';

/** What a key asks of the pool. */
export interface KeyOwner<C, K> {
  /** The pool that users know. */
  readonly observed: object;
  canServe(key: KeyState<C, K>, stuck: { has(lease: object): boolean }): boolean;
  onLeave(key: KeyState<C, K>, why: 'aborted' | 'timedOut'): void;
  onRefuse(): void;
  describe(key: KeyState<C, K>, waitedMs: number): WaitDetails;
}

/** The state of a key; exists while it has a slot or a waiter. */
export class KeyState<C, K> implements QueueOwner {
  /** The newest object that a caller gave for this id: it may carry newer credentials. */
  key: K;
  readonly id: unknown;
  #queue: WaitQueue<PoolLease<C, K>, Trace> | undefined;
  readonly counts = new SlotCounts();
  readonly spare = new LinkedList<Link<Slot<C, K>>>();
  generation = 0;
  /** When a caller last asked for it; kept only where `minIdle` needs it. */
  usedMs = 0;
  /** Its slots that are checked beside their leases, and those whose check is not counted on. */
  pings = 0;
  suspects = 0;

  /** How many slots it wants and cannot have yet, and since when; it stands in the pool's line of starved keys. */
  demand = 0;
  demandIsPromising = false;
  starvedSinceMs = 0;
  readonly starved = new Link<KeyState<C, K>>(this);

  readonly server = new ServerHealth();

  readonly #owner: KeyOwner<C, K>;
  readonly #settings: PoolSettings;
  readonly #ownMaximum: number | undefined;

  constructor(
    key: K,
    id: unknown,
    settings: PoolSettings,
    owner: KeyOwner<C, K>,
    ownMaximum?: number | undefined,
  ) {
    this.key = key;
    this.id = id;
    this.#settings = settings;
    this.#owner = owner;
    this.#ownMaximum = ownMaximum;
  }

  /** Created with the first waiter: a key whose connection is always ready never has one. */
  get queue(): WaitQueue<PoolLease<C, K>, Trace> {
    const queue = this.#queue ?? this.#settings.order?.queue(this) ?? new WaitQueue(this);
    this.#queue = queue;
    return queue;
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

  /** The most slots it may have. */
  get maximum(): number {
    return this.#ownMaximum ?? this.#settings.max;
  }

  /** Leases that connections bring which are being checked. */
  get leasesInCheck(): number {
    return (this.counts.checking - this.suspects + this.pings) * this.#settings.leasesPerConnection;
  }

  /** Leases that what is under way will bring: dials, and connections being checked. */
  get leasesToCome(): number {
    return this.counts.connecting * this.#settings.leasesPerConnection + this.leasesInCheck;
  }

  /** Connections that can, or soon can, serve this key. */
  get serving(): number {
    return this.counts.total - this.counts.leaving;
  }

  /**
   * How many dials the waiters justify: never more than are unmet, than the key may have, or than may run at once.
   * While the key fails it is one more probe: one that hangs must not bar the next.
   */
  get slotsWanted(): number {
    const { leasesPerConnection, maxConnecting } = this.#settings;
    const coming = this.server.failures > 0 ? this.leasesInCheck : this.leasesToCome;
    const unmet = Math.ceil((this.waiting - coming) / leasesPerConnection);
    const room = Math.min(this.maximum - this.counts.total, maxConnecting - this.counts.connecting);
    return Math.max(0, Math.min(unmet, room, this.server.failures > 0 ? 1 : Infinity));
  }

  /** Whether a healthy connection of another key may be closed for it (P15). */
  isPromising(nowMs: number): boolean {
    const { trust, triedMs, answeredMs } = this.server;
    // An answer that came before the last dial began is no proof that the server still answers.
    if (trust === 'answers' && answeredMs > triedMs) return true;
    return this.counts.connecting === 0 && (trust !== 'doubtful' || nowMs - triedMs >= longestBackoffMs);
  }

  /** When a key in doubt becomes promising by the passing of time alone. */
  get nextTrialMs(): number {
    const { trust, triedMs } = this.server;
    return trust === 'doubtful' && this.counts.connecting === 0 ? triedMs + longestBackoffMs : Infinity;
  }

  /** Whether the key can be forgotten: it has no slot, no waiter and no timer. */
  get quiet(): boolean {
    return this.counts.total === 0 && this.waiting === 0 && this.server.retry === undefined;
  }

  /** Connections that are open or being dialled now will be replaced. */
  startGeneration(): void {
    this.generation++;
    this.server.startAgain();
  }

  onLeave(why: 'aborted' | 'timedOut'): void {
    this.#owner.onLeave(this, why);
  }

  onRefuse(): void {
    this.#owner.onRefuse();
  }

  describe(waitedMs: number): WaitDetails {
    return this.#owner.describe(this, waitedMs);
  }

  cause(): ErrorOptions | undefined {
    const { lastError } = this.server;
    return lastError === undefined ? undefined : { cause: lastError };
  }
}
