import type { WaitDetails } from '../contract/errors.js';
import { now, type Timer } from '../runtime/clock.js';
import { Link, LinkedList } from '../waiting/linked-list.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { type Failures, longestBackoffMs } from './failure-memory.js';
import type { PoolLease } from './lease.js';
import type { Trace } from './lease-watch.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { SlotCounts } from './slot-counts.js';

export const firstBackoffMs = 50;

/** What a key asks of the pool. */
export interface KeyOwner<C, K> {
  /** The pool that users know. */
  readonly observed: object;
  canServe(key: KeyState<C, K>, stuck: { has(lease: object): boolean }): boolean;
  onLeave(key: KeyState<C, K>, why: 'aborted' | 'timedOut'): void;
  describe(key: KeyState<C, K>, waitedMs: number): WaitDetails;
}

/** All that is known of a key; exists while it has a slot or a waiter. */
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

  /** What is known of its server: nothing yet, that it answered last, or that it failed or hung last. */
  trust: 'unknown' | 'answers' | 'doubtful' = 'unknown';
  answeredMs = -Infinity;
  /** Failures in a row. While there are any, one dial per backoff probes. */
  failures = 0;
  lastError: unknown = undefined;
  backoffMs = 0;
  retryAtMs = 0;
  triedMs = -Infinity;
  /** Armed while a waiter, or in the background `minIdle`, waits for `retryAtMs`. */
  retry: { readonly dueMs: number; readonly timer: Timer; readonly background: boolean } | undefined;

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

  /** Made when somebody first waits: a key whose connection is always ready never has one. */
  get queue(): WaitQueue<PoolLease<C, K>, Trace> {
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
    const coming = this.failures > 0 ? this.leasesInCheck : this.leasesToCome;
    const unmet = Math.ceil((this.waiting - coming) / leasesPerConnection);
    const room = Math.min(this.maximum - this.counts.total, maxConnecting - this.counts.connecting);
    return Math.max(0, Math.min(unmet, room, this.failures > 0 ? 1 : Infinity));
  }

  /** Whether a healthy connection of another key may be closed for it (P15). */
  isPromising(nowMs: number): boolean {
    if (this.trust === 'answers') return true;
    if (this.trust === 'unknown') return this.counts.connecting === 0;
    return this.counts.total === 0 && nowMs - this.triedMs >= longestBackoffMs;
  }

  /** When a key in doubt becomes promising by the passing of time alone. */
  get nextTrialMs(): number {
    return this.trust === 'doubtful' && this.counts.total === 0 ? this.triedMs + longestBackoffMs : Infinity;
  }

  /** Nothing is left that would have to be remembered here. */
  get quiet(): boolean {
    return this.counts.total === 0 && this.waiting === 0 && this.retry === undefined;
  }

  /** It answered: a connection arrived, a check said yes, or a lease ended well. */
  onAnswer(nowMs: number): void {
    this.trust = 'answers';
    this.answeredMs = nowMs;
  }

  onDial(nowMs: number): void {
    this.triedMs = nowMs;
    if (this.failures > 0) this.#backOff(this.failures + this.counts.connecting, nowMs);
  }

  /** A dial was interrupted that had hung for some time. */
  doubt(nowMs: number): void {
    this.trust = 'doubtful';
    this.triedMs = nowMs;
  }

  /**
   * Counts a failure, once for all dials that began together, and tells how long to wait before the next dial. Half of
   * the delay is random, so that many processes do not return at the same moment.
   */
  countFailure(failuresBefore: number, error: unknown): number {
    const nowMs = now();
    this.lastError = error;
    this.doubt(nowMs);
    if (this.failures <= failuresBefore) {
      this.failures = failuresBefore + 1;
      this.#backOff(this.failures, nowMs);
    }
    return Math.max(0, this.retryAtMs - nowMs);
  }

  #backOff(step: number, nowMs: number): void {
    const longestMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (step - 1));
    this.backoffMs = (longestMs / 2) * (1 + Math.random());
    this.retryAtMs = nowMs + this.backoffMs;
  }

  /** A connection arrived after failures: until it has proved itself, the next dial waits a little. */
  onProbation(nowMs: number): void {
    if (this.failures > 0) this.retryAtMs = nowMs + firstBackoffMs;
  }

  forgetFailures(): void {
    this.failures = 0;
    this.lastError = undefined;
    this.backoffMs = 0;
    this.retryAtMs = 0;
    this.endRetry();
  }

  endRetry(): void {
    this.retry?.timer.cancel();
    this.retry = undefined;
  }

  /** What a key of this id knew before it was forgotten. */
  restore(known: Failures): void {
    Object.assign(this, known);
    this.trust = 'doubtful';
  }

  toRemember(): Failures {
    const { failures, lastError, backoffMs, retryAtMs, triedMs } = this;
    return { failures, lastError, backoffMs, retryAtMs, triedMs };
  }

  /** What is open or being dialled now is not wanted any more; what failed may work again. */
  startGeneration(): void {
    this.generation++;
    this.trust = 'unknown';
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
