/**
 * The pool's core: who gets which connection, and when one is dialled or closed. There is no `await` in here. A
 * synchronous section runs to its end, so a check and the effect that relies on it are atomic without any lock;
 * what has to be waited for (dial, validation, close) happens outside and comes back as a new section, which reads
 * the world afresh. A lock held across the connect would be correct too, and would serve 100 hosts one by one.
 *
 * Invariants (test/support/pool-world.ts and test/pool/random-pool.ts execute them, after steps and inside hooks)
 *   P1   connecting + idle + leased + checking + closing = total <= max, also as the connector counts them.
 *   P2   The same per key, <= maxPerKey.
 *   P3   Leases on a connection <= leasesPerConnection.
 *   P4   Every acquire settles exactly once.
 *   P5   Every connection that was made is closed exactly once, never while leased (but for a forced close).
 *   P6   While a key has waiters, it has no usable connection with room for a lease.
 *   P7   While a key's waiters are unmet: its slots or its dials are at their limit, or its backoff timer runs, or
 *        the pool is full and as many connections are leaving as are wanted, or none is idle.
 *   P8   A dial starts only for a waiter whom nothing under way will serve.
 *   P9   A lease is for the asked key, of the current generation, not retiring and not past its lifetime.
 *   P10  Per key first come, first served.
 *   P11  After `close()` resolved: no slot, no timer, no event.
 *   P12  A key without slot, waiter and backoff is forgotten.
 *   P13  User code is called between sections, when all of the above holds, and may call the pool back. The hooks that
 *        are asked something (keyId, isAlive, isReusable) are asked before anything is decided, and the world is read
 *        again after their answer.
 *
 * Double-checked insertion: a dial answers a demand that may be gone when the connection arrives, so `#offer` asks
 * again: closed or reset meanwhile, close it; waiters, serve the oldest, whoever caused the dial; none, keep it, for
 * closing a good connection is waste, unless connections are shared and a sibling has room already.
 *
 * Fairness between keys: keys that want a slot stand in one line and get one each per turn. The slot comes from a
 * free place, else from the least recently used idle connection of any key, else from a busy one whose time slice
 * is over.
 */

import { ClosedError, QueueFullError, type WaitDetails } from '../contract/errors.js';
import { now, setTimer, type Timer } from '../runtime/clock.js';
import type { ObservedGrant } from '../runtime/observer.js';
import type { WaitSettings } from '../waiting/wait-settings.js';
import type { CloseReason, ConnectionPoolEvent, ConnectionPoolStats } from './connector.js';
import type { DeferredCalls } from './deferred-calls.js';
import type { Hooks } from './hooks.js';
import { type KeyOwner, KeyState } from './key-state.js';
import { type LeaseEnd, type LeaseOwner, PoolLease } from './lease.js';
import { Lifecycle, type LifecycleOwner } from './lifecycle.js';
import { connectError, oldestLease } from './pool-errors.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { StarvedKeys } from './starved-keys.js';

export class PoolCore<C, K> implements LifecycleOwner<C, K>, KeyOwner<C, K>, LeaseOwner<C, K> {
  readonly #settings: PoolSettings;
  readonly #hooks: Hooks<C, K>;
  readonly #deferred: DeferredCalls;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #keys = new Map<unknown, KeyState<C, K>>();
  readonly #starved = new StarvedKeys<C, K>();
  readonly #counters = { acquired: 0, timedOut: 0, aborted: 0, evicted: 0, rebalanced: 0 };
  #waiting = 0;
  #closed: { readonly promise: Promise<void>; readonly resolve: () => void; grace?: Timer } | undefined;

  constructor(settings: PoolSettings, hooks: Hooks<C, K>, deferred: DeferredCalls) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#deferred = deferred;
    this.#lifecycle = new Lifecycle(settings, hooks, deferred, this);
  }

  /** The lease itself where an idle connection is fit, else the promise of one. */
  acquire(key: K, settings: WaitSettings): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    const id = this.#hooks.keyId(key);
    if (this.#closed !== undefined) throw new ClosedError('the connection pool');
    const known = this.#keys.get(id);
    const lease = known && this.#leaseAtOnce(known);
    if (lease !== undefined) {
      this.#deferred.end();
      return lease;
    }
    return this.#wait(key, id, settings);
  }

  #wait(key: K, id: unknown, settings: WaitSettings): Promise<PoolLease<C, K>> {
    if (this.#waiting >= this.#settings.maxWaiting) {
      throw new QueueFullError({ ...this.#waitDetails(), key, waitedMs: 0, waiting: this.#waiting });
    }
    const state = this.#keys.get(id) ?? this.#remember(key, id);
    this.#waiting++;
    const promise = state.queue.wait(settings);
    this.#deferred.run(() => this.#pump(state));
    return promise;
  }

  /** `reset` without a key means all of them. */
  reset(...keys: K[]): void {
    const ids = keys.length === 0 ? [...this.#keys.keys()] : keys.map((key) => this.#hooks.keyId(key));
    const states = new Set(ids.map((id) => this.#keys.get(id)));
    this.#deferred.run(() => {
      for (const state of states) state?.startGeneration();
      for (const slot of this.#lifecycle.slots) {
        if (states.has(slot.key)) this.#lifecycle.retire(slot, 'reset');
      }
      for (const state of states) if (state !== undefined) this.#pump(state);
    });
  }

  close(graceMs: number): Promise<void> {
    if (this.#closed !== undefined) return this.#closed.promise;
    let resolve!: () => void;
    const promise = new Promise<void>((onClosed) => {
      resolve = onClosed;
    });
    this.#closed = { promise, resolve };
    this.#deferred.run(() => {
      this.#lifecycle.stopSweeping();
      for (const key of [...this.#keys.values()]) {
        this.#refuse(key, () => new ClosedError('the connection pool'));
        key.endBackoff();
        this.#pump(key);
      }
      for (const slot of [...this.#lifecycle.slots]) {
        if (slot.leases.length > 0) this.#lifecycle.retire(slot, 'shutdown');
        else this.#lifecycle.shutDown(slot);
      }
      if (graceMs !== Infinity)
        this.#closed!.grace = this.#deferred.context.run(setTimer, this.#endGrace, graceMs);
      this.#finishClosing();
    });
    return promise;
  }

  stats(): ConnectionPoolStats {
    const { total, connecting, idle, leased, checking, closing } = this.#lifecycle.counts;
    return {
      total,
      connecting,
      idle,
      leased,
      validating: checking,
      closing,
      waiting: this.#waiting,
      keys: this.#keys.size,
      ...this.#counters,
      ...this.#lifecycle.counters,
    };
  }

  // ---- for an observer -------------------------------------------------------------------------------------

  get observed(): object {
    return this.#hooks.source;
  }

  grantOf({ key }: Slot<C, K>): ObservedGrant {
    return { source: this.observed, key: key.key, weight: 1, limit: this.#settings.max };
  }

  /** Whether a waiter of the key could still get a connection if these leases never ended. */
  canServe(key: KeyState<C, K>, stuck: { has(lease: object): boolean }): boolean {
    const { max, maxPerKey, leasesPerConnection } = this.#settings;
    const { counts, slots } = this.#lifecycle;
    const isAtKeyLimit = key.counts.total >= maxPerKey;
    if (counts.total < max && !isAtKeyLimit) return true;
    for (const slot of slots) {
      if (isAtKeyLimit && slot.key !== key) continue;
      if (slot.key === key && slot.leases.length < leasesPerConnection) return true;
      if (slot.leases.length === 0 || slot.leases.some((lease) => !stuck.has(lease))) return true;
    }
    return false;
  }

  // ---- what happens ----------------------------------------------------------------------------------------

  giveBack(lease: PoolLease<C, K>, end: LeaseEnd): void {
    const { slot } = lease;
    const reusable =
      end.how === 'well' ||
      (end.how === 'failed' && this.#hooks.isReusable(slot.connection as C, lease.key, end.error));
    slot.removeLease(lease);
    if (this.#hooks.watchesReleases) this.#tellRelease(lease);
    if (slot.state === 'leased') {
      if (!reusable) this.#lifecycle.retire(slot, 'error');
      else if (slot.retireReason !== undefined) this.#lifecycle.retire(slot, slot.retireReason);
      else if (this.#hooks.canReset && this.#settings.leasesPerConnection === 1) {
        this.#lifecycle.check(slot, 'reset');
      } else this.#offer(slot, now());
      this.#pumpIfWanted(slot.key);
    }
    this.#deferred.end();
  }

  #tellRelease(lease: PoolLease<C, K>): void {
    this.#deferred.afterwards(() => this.#hooks.released(lease));
  }

  onDoubleRelease(lease: PoolLease<C, K>): void {
    this.#emit({ type: 'doubleRelease', key: lease.key });
    this.#deferred.end();
  }

  /** A waiter gave up. */
  onLeave(key: KeyState<C, K>, why: 'aborted' | 'timedOut'): void {
    this.#waiting--;
    this.#counters[why]++;
    this.#deferred.run(() => this.#pump(key));
  }

  /** A dial answers a demand that may be gone: everything is asked again. */
  onConnected(slot: Slot<C, K>): void {
    const { key } = slot;
    if (slot.retireReason === 'lost') {
      this.#lifecycle.retire(slot, 'lost');
      this.onDialFailed(slot, slot.lostError);
      return;
    }
    key.forgetFailures();
    this.#offer(slot, now(), 'fresh');
    this.#pump(key);
  }

  onDialFailed(slot: Slot<C, K>, error: unknown): void {
    const { key } = slot;
    const retryInMs = key.countFailure(slot.failuresBefore, error);
    this.#emit({ type: 'connectFailed', key: key.key, error, retryInMs });
    if (this.#closed === undefined && key.backoff === undefined)
      this.#startBackoff(key, retryInMs, 'background');
    if (key.serving === 0) this.#refuse(key, () => connectError(key.key, error));
    this.#pump(key);
    this.#finishClosing();
  }

  onChecked(slot: Slot<C, K>): void {
    this.#offer(slot, now());
    this.#pump(slot.key);
  }

  onFree(slot: Slot<C, K>): void {
    this.#pump(slot.key);
    this.#finishClosing();
  }

  // ---- who gets what ---------------------------------------------------------------------------------------

  /** The common case: nobody waits, and the connection used last is fit. */
  #leaseAtOnce(key: KeyState<C, K>): PoolLease<C, K> | undefined {
    const slot = key.spare.tail?.item;
    if (slot === undefined) return undefined;
    const nowMs = now();
    const fit = this.#inspect(slot, nowMs) === 'fit';
    // Asked after the inspection, in which user code may have run.
    return fit && key.waiting === 0 && slot.spare.list !== undefined ? this.#lease(slot, nowMs) : undefined;
  }

  /** Whether an open connection may be leased: yes, only after validation, or for which reason not. */
  #inspect(slot: Slot<C, K>, nowMs: number): 'fit' | 'unproven' | CloseReason {
    const { idleTimeoutMs, validateAfterIdleMs } = this.#settings;
    if (nowMs >= slot.expiresMs) return 'lifetime';
    const idleMs = slot.state === 'idle' ? nowMs - slot.idleSinceMs : 0;
    if (idleMs >= idleTimeoutMs && slot.state === 'idle') return 'idle';
    if (!this.#hooks.isAlive(slot.connection as C, slot.key.key)) return 'lost';
    return idleMs >= validateAfterIdleMs && slot.state === 'idle' && this.#hooks.canValidate
      ? 'unproven'
      : 'fit';
  }

  #lease(slot: Slot<C, K>, nowMs: number): PoolLease<C, K> {
    const lease = new PoolLease(this, slot, nowMs);
    slot.addLease(lease);
    this.#lifecycle.occupy(slot);
    if (slot.leases.length >= this.#settings.leasesPerConnection) slot.spare.leave();
    this.#counters.acquired++;
    return lease;
  }

  /** Gives a connection that has room to whoever should have it now. The double check of the insertion is here. */
  #offer(slot: Slot<C, K>, nowMs: number, fresh?: 'fresh'): void {
    const { key } = slot;
    if (slot.generation !== key.generation) this.#lifecycle.retire(slot, 'reset');
    else if (fresh === undefined && nowMs >= slot.expiresMs) this.#lifecycle.retire(slot, 'lifetime');
    else if (
      fresh === undefined &&
      this.#starved.demand > 0 &&
      this.#starved.mayTake(slot, this.#lifecycle.counts.leaving, nowMs)
    ) {
      this.#counters.rebalanced++;
      this.#lifecycle.retire(slot, 'rebalanced');
      this.#starved.sendToEnd(key, nowMs);
    } else {
      this.#serve(slot, nowMs);
      if (slot.leases.length === 0) {
        if (fresh !== undefined && this.#settings.leasesPerConnection > 1 && key.spare.size > 0) {
          this.#lifecycle.retire(slot, 'duplicate');
          return;
        }
        this.#lifecycle.rest(slot, nowMs);
      }
      const hasRoom = slot.leases.length < this.#settings.leasesPerConnection;
      if (hasRoom && slot.spare.list === undefined) key.spare.push(slot.spare);
    }
  }

  /** Leases the connection to the key's oldest waiters, as many as it has room for. */
  #serve(slot: Slot<C, K>, nowMs: number): void {
    const { key } = slot;
    while (key.waiting > 0 && slot.leases.length < this.#settings.leasesPerConnection) {
      this.#waiting--;
      key.queue.grant(this.#lease(slot, nowMs));
    }
  }

  /** Gives the key's open connections to its waiters (P6); one that must be validated first is a lease to come. */
  #match(key: KeyState<C, K>): void {
    for (let slot = key.spare.tail?.item; slot !== undefined; slot = key.spare.tail?.item) {
      if (key.waiting === 0) return;
      const nowMs = now();
      const verdict = this.#inspect(slot, nowMs);
      if (slot.spare.list === undefined) continue;
      if (verdict === 'fit') this.#serve(slot, nowMs);
      else if (verdict !== 'unproven') this.#lifecycle.retire(slot, verdict);
      else if (key.waiting <= key.leasesToCome) return;
      else this.#lifecycle.check(slot, 'validate');
    }
  }

  /** Brings a key and those who compete with it up to date after anything that may have changed what they can have. */
  #pump(key: KeyState<C, K>): void {
    this.#match(key);
    const wanted = this.#closed === undefined ? key.slotsWanted : 0;
    if (wanted > 0 && key.backoff?.background === true) {
      this.#startBackoff(key, Math.max(0, key.backoff.endsMs - now()), 'foreground');
    }
    this.#starved.want(key, key.backoff === undefined ? wanted : 0);
    this.#serveStarved();
    if (key.quiet && this.#keys.get(key.id) === key) this.#keys.delete(key.id);
  }

  /** A connection that comes back never makes its key want more, so nothing wanted means nothing to do. */
  #pumpIfWanted(key: KeyState<C, K>): void {
    if (this.#starved.demand > 0) this.#pump(key);
  }

  /** One slot per key and turn, as long as there are any; then one eviction for each that is still missing. */
  #serveStarved(): void {
    const { counts, idle } = this.#lifecycle;
    while (this.#starved.demand > 0 && counts.total < this.#settings.max) {
      const key = this.#starved.next()!;
      this.#lifecycle.dial(key);
      this.#starved.want(key, key.slotsWanted);
    }
    for (let { head } = idle; head !== undefined && counts.leaving < this.#starved.demand; head = idle.head) {
      this.#counters.evicted++;
      this.#lifecycle.retire(head.item, 'evicted');
    }
  }

  // ---- keys, failures, the end -----------------------------------------------------------------------------

  #remember(key: K, id: unknown): KeyState<C, K> {
    const state = new KeyState<C, K>(key, id, this.#settings, this);
    this.#keys.set(id, state);
    return state;
  }

  #refuse(key: KeyState<C, K>, makeError: () => Error): void {
    this.#waiting -= key.waiting;
    key.queue.refuseAll(makeError);
  }

  /** Foreground while somebody waits for its end, so that the process does not exit under him. */
  #startBackoff(key: KeyState<C, K>, delayMs: number, where: 'foreground' | 'background'): void {
    const background = where === 'background';
    key.endBackoff();
    const end = () => {
      key.endBackoff();
      this.#deferred.run(() => this.#pump(key));
    };
    const timer = this.#deferred.context.run(setTimer, end, delayMs, { background });
    key.backoff = { endsMs: now() + delayMs, timer, background };
  }

  readonly #endGrace = (): void => {
    this.#deferred.run(() => {
      for (const slot of [...this.#lifecycle.slots]) this.#lifecycle.shutDown(slot);
    });
  };

  #finishClosing(): void {
    if (this.#closed === undefined || this.#lifecycle.counts.total > 0) return;
    this.#closed.grace?.cancel();
    this.#closed.resolve();
  }

  describe(key: KeyState<C, K>, waitedMs: number): WaitDetails {
    return { ...this.#waitDetails(), key: key.key, waitedMs, waiting: this.#waiting - 1 };
  }

  #waitDetails(): { held: number; limit: number; hint: string | undefined } {
    const held = this.#lifecycle.counts.leased;
    return { held, limit: this.#settings.max, hint: oldestLease(this.#lifecycle.slots) };
  }

  #emit(event: ConnectionPoolEvent): void {
    if (this.#hooks.listens) this.#deferred.afterwards(() => this.#hooks.emit(event));
  }
}
