/**
 * Which connection serves which caller. Without waiters a caller gets the connection used last, at once. Otherwise the
 * oldest waiter of a key gets the connection that is ready first. Every lease is created here.
 */
import { now } from '../runtime/clock.js';
import type { Checks } from './checks.js';
import type { CloseReason } from './connector.js';
import type { Hooks } from './hooks.js';
import type { IdleRules } from './idle-rules.js';
import type { KeyState } from './key-state.js';
import { type LeaseOwner, PoolLease } from './lease.js';
import type { LeaseWatch, Trace } from './lease-watch.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';

export class Matching<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #hooks: Hooks<C, K>;
  readonly #settings: PoolSettings;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #checks: Checks<C, K>;
  readonly #idleRules: IdleRules<C, K>;
  readonly #watch: LeaseWatch<C, K>;
  readonly #owner: LeaseOwner<C, K>;

  constructor(
    state: PoolState<C, K>,
    lifecycle: Lifecycle<C, K>,
    checks: Checks<C, K>,
    idleRules: IdleRules<C, K>,
    watch: LeaseWatch<C, K>,
    owner: LeaseOwner<C, K>,
  ) {
    this.#state = state;
    this.#hooks = state.hooks;
    this.#settings = state.settings;
    this.#lifecycle = lifecycle;
    this.#checks = checks;
    this.#idleRules = idleRules;
    this.#watch = watch;
    this.#owner = owner;
  }

  /** The common case: there is no waiter, and the connection used last is fit. */
  leaseAtOnce(key: KeyState<C, K>, trace: Trace): PoolLease<C, K> | undefined {
    const slot = key.spare.tail?.item;
    if (slot === undefined || key.waiting > 0) return undefined;
    const nowMs = now();
    const isFit = this.#inspect(slot, nowMs) === 'fit';
    // Asked after the inspection, in which user code may have run.
    if (!isFit || key.waiting > 0 || slot.spare.list === undefined || !slot.hasRoom) return undefined;
    return this.#lease(slot, nowMs, trace);
  }

  /** Gives the key's open connections to its waiters (P6); one that must be validated first is a lease to come. */
  match(key: KeyState<C, K>): void {
    for (let slot = key.spare.tail?.item; slot !== undefined; slot = key.spare.tail?.item) {
      if (key.waiting === 0) return;
      const nowMs = now();
      const verdict = this.#inspect(slot, nowMs);
      if (slot.spare.list === undefined) continue;
      if (verdict === 'fit') this.#serve(slot, nowMs);
      else if (verdict === 'lost') this.#lifecycle.lose(slot, undefined);
      else if (verdict !== 'unproven') this.#lifecycle.retire(slot, verdict);
      else if (key.waiting <= key.leasesInCheck) return;
      else this.#checks.begin(slot, 'validate');
    }
  }

  /** A connection comes back: a waiter gets it, after a validation if one is due. */
  takeBack(slot: Slot<C, K>, nowMs: number): void {
    if (slot.key.waiting > 0 && !slot.pinging && nowMs < slot.expiresMs && this.isDue(slot, nowMs)) {
      this.#checks.begin(slot, 'validate');
    } else this.offer(slot, nowMs, 'returned');
  }

  /** Gives a connection with room to the waiters, else lets it rest. This is the double check of the insertion. */
  offer(slot: Slot<C, K>, nowMs: number, from: 'fresh' | 'checked' | 'returned'): void {
    const { counts, starved, counters } = this.#state;
    if (from !== 'fresh' && nowMs >= slot.expiresMs) this.#lifecycle.retire(slot, 'lifetime');
    else if (counts.total - counts.leaving > this.#settings.max) this.#lifecycle.retire(slot, 'evicted');
    else if (
      from !== 'fresh' &&
      starved.promisingDemand > 0 &&
      starved.mayTake(slot, counts.leaving, nowMs)
    ) {
      counters.rebalanced++;
      this.#lifecycle.retire(slot, 'rebalanced');
      starved.sendToEnd(slot.key, nowMs);
    } else {
      if (slot.key.waiting > 0 && !slot.pinging) this.#serve(slot, nowMs);
      if (slot.retireReason !== undefined) return;
      if (slot.leases.length === 0) {
        if (from === 'fresh' && this.#isDuplicate(slot.key)) {
          this.#lifecycle.retire(slot, 'duplicate');
          return;
        }
        this.#lifecycle.rest(slot);
        this.#idleRules.watch(slot);
      }
      this.addSpare(slot);
    }
  }

  /** Whether a new connection of the key is not needed, because a shared sibling has room. */
  #isDuplicate(key: KeyState<C, K>): boolean {
    const { leasesPerConnection, minIdle } = this.#settings;
    return leasesPerConnection > 1 && key.spare.size > 0 && key.counts.idle >= minIdle;
  }

  /** Makes the room of a connection available to later callers. */
  addSpare(slot: Slot<C, K>): void {
    if (slot.hasRoom && !slot.pinging && slot.spare.list === undefined) slot.key.spare.push(slot.spare);
  }

  /** Whether the connection must be validated before its next lease. */
  isDue(slot: Slot<C, K>, nowMs: number): boolean {
    return this.#hooks.canValidate && nowMs - slot.provenMs >= this.#settings.validateAfterIdleMs;
  }

  /** Whether an open connection may be leased: yes, only after validation, or no and why. */
  #inspect(slot: Slot<C, K>, nowMs: number): 'fit' | 'unproven' | CloseReason {
    if (nowMs >= slot.expiresMs) return 'lifetime';
    if (slot.state === 'idle' && nowMs - slot.idleSinceMs >= this.#settings.idleTimeoutMs) {
      if (!this.#idleRules.isKept(slot.key, nowMs)) return 'idle';
    }
    if (!this.#hooks.isAlive(slot.connection as C, slot.key.key)) return 'lost';
    return this.isDue(slot, nowMs) ? 'unproven' : 'fit';
  }

  /** Leases the connection to the key's next waiters, as many as it has room for. */
  #serve(slot: Slot<C, K>, nowMs: number): void {
    const { key } = slot;
    while (key.waiting > 0 && slot.hasRoom && slot.retireReason === undefined) {
      const { first } = key.queue;
      if (first === undefined) return;
      this.#state.waiting--;
      first.grant(this.#lease(slot, nowMs, first.demand));
    }
  }

  #lease(slot: Slot<C, K>, nowMs: number, trace: Trace): PoolLease<C, K> {
    const lease = new PoolLease(this.#owner, slot, nowMs);
    this.#lifecycle.occupy(slot);
    if (!slot.hasRoom) slot.spare.leave();
    if (++slot.uses >= this.#settings.maxUses) this.#lifecycle.retire(slot, 'lifetime');
    this.#state.counters.acquired++;
    if (trace !== undefined) this.#watch.onBirth(lease, trace);
    return lease;
  }
}
