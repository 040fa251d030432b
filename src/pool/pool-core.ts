/**
 * The pool's core: who gets which connection, and when one is dialled or closed. There is no `await` in here. A
 * synchronous section runs to its end, so a check and the effect that relies on it are atomic without any lock.
 * Dials, checks and closes happen outside and come back as a new section, which reads the state afresh. A lock held
 * across the connect would be correct too, and would serve 100 hosts one by one.
 *
 * Invariants (test/support/pool-world.ts and test/pool/random-pool.ts execute them, after steps and inside hooks)
 *   P1   connecting + idle + leased + checking + closing = total <= max, also as the connector counts them.
 *   P2   The same per key, <= maxPerKey.
 *   P3   Leases on a connection <= leasesPerConnection, and <= what the connection itself allows.
 *   P4   Every acquire settles exactly once.
 *   P5   Every connection that was made is closed exactly once, never while leased, except by a forced close.
 *   P6   While a key has waiters, it has no usable connection with room for a lease.
 *   P7   While a key's waiters are unmet: its slots or its dials are at their limit, or its backoff timer runs, or
 *        the pool is full and no slot may be taken for it.
 *   P8   A dial starts only for a waiter whom nothing under way will serve, or for `minIdle`.
 *   P9   A lease is for the asked key, of the current generation, not retiring and not past its lifetime.
 *   P10  Per key first come, first served.
 *   P11  After `close()` resolved: no slot, no timer, no event.
 *   P12  A key without slot and waiter is forgotten; of its failures a bounded memory remains.
 *   P13  User code is called between sections, when all of the above holds, and may call the pool back. The hooks that
 *        decide (keyId, isAlive, isReusable) are asked first, and the state is read again after their answer.
 *   P14  Before every lease on a connection that was used before, `isAlive` has said yes and a due `validate` has passed.
 *   P15  No connection of another key is closed for a key whose server failed or hung last, except one probe per 5 s.
 *   P16  A dial that nobody waits for gives its slot to a starving key. Of dials that hang, a key keeps two.
 *   P17  A dial belongs to a generation: after `reset` its outcome refuses nobody and starts no backoff.
 *   P18  While a key fails, at most one dial starts per backoff, and the backoff survives the callers.
 *   P19  A caller for whom a slot is free, or a connection is under way, is never refused by `maxWaiting`.
 *
 * Double-checked insertion: a dial answers a demand that may be gone when the connection arrives, so `#offer` asks
 * again. Closed or reset meanwhile: close it. Waiters: serve the oldest, whichever caller caused the dial. None: keep
 * it, because closing a good connection is waste, unless connections are shared and a sibling has room already.
 *
 * Fairness between keys: keys that want a slot stand in one line and get one each per turn. The slot comes from a
 * free place, else from the least recently used idle connection of any key, else from a busy one whose time slice
 * is over.
 */

import { ClosedError, QueueFullError, type WaitDetails } from '../contract/errors.js';
import type { WaitOptions } from '../contract/types.js';
import { now, setTimer } from '../runtime/clock.js';
import type { ObservedGrant } from '../runtime/observer.js';
import { type WaitSettings, waitSettings } from '../waiting/wait-settings.js';
import { type CheckHook, Checks, type ChecksOwner } from './checks.js';
import { Closing } from './closing.js';
import type { CloseReason, ConnectionPoolEvent, ConnectionPoolStats, KeyStats } from './connector.js';
import type { DeferredCalls } from './deferred-calls.js';
import { FailureMemory, longestBackoffMs } from './failure-memory.js';
import type { Hooks } from './hooks.js';
import { firstBackoffMs, type KeyOwner, KeyState } from './key-state.js';
import { type LeaseEnd, type LeaseOwner, PoolLease } from './lease.js';
import { acquires, LeaseWatch, type Trace } from './lease-watch.js';
import { Lifecycle, type LifecycleOwner } from './lifecycle.js';
import { connectError, oldestLease } from './pool-errors.js';
import { callersInLine } from './queue-room.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { StarvedKeys } from './starved-keys.js';
import { TakenDials } from './taken-dials.js';

export class PoolCore<C, K>
  implements LifecycleOwner<C, K>, ChecksOwner<C, K>, KeyOwner<C, K>, LeaseOwner<C, K>
{
  readonly #settings: PoolSettings;
  readonly #hooks: Hooks<C, K>;
  readonly #deferred: DeferredCalls;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #checks: Checks<C, K>;
  readonly #watch: LeaseWatch<C, K>;
  readonly #defaults: WaitSettings;
  readonly #keys = new Map<unknown, KeyState<C, K>>();
  readonly #memory = new FailureMemory();
  readonly #starved = new StarvedKeys<C, K>();
  readonly #takenDials: TakenDials<C, K>;
  readonly #counters = { acquired: 0, timedOut: 0, aborted: 0, evicted: 0, rebalanced: 0 };
  #waiting = 0;
  #closing: Closing | undefined;

  constructor(settings: PoolSettings, hooks: Hooks<C, K>, deferred: DeferredCalls) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#deferred = deferred;
    this.#lifecycle = new Lifecycle(settings, hooks, deferred, this);
    this.#checks = new Checks(settings, hooks, deferred, this.#lifecycle, this);
    this.#watch = new LeaseWatch(settings, hooks, deferred);
    const fairTurn = () => {
      this.#starved.review();
      this.#serveStarved();
    };
    this.#takenDials = new TakenDials(settings, deferred, this.#lifecycle, this.#starved, fairTurn);
    const { waitTimeoutMs } = settings;
    this.#defaults =
      waitTimeoutMs === Infinity ? waitSettings(undefined) : { signal: undefined, waitTimeoutMs };
    if (settings.minIdle > 0 && hooks.hasOneTarget) queueMicrotask(() => this.#warmUp());
  }

  /** The lease itself where an idle connection is fit, else the promise of one. */
  acquire(key: K, options: WaitOptions | undefined): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    return acquires.start.hasSubscribers
      ? this.#tracedAcquire(key, options)
      : this.#acquire(key, waitSettings(options, this.#defaults));
  }

  /** Apart from `acquire`: V8 allocates a context on every call of a function that contains closures. */
  #tracedAcquire(key: K, options: WaitOptions | undefined): Promise<PoolLease<C, K>> {
    const acquire = async () => this.#acquire(key, waitSettings(options, this.#defaults));
    return acquires.tracePromise(acquire, this.#watch.message(key));
  }

  #acquire(key: K, settings: WaitSettings): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    const id = this.#hooks.keyId(key);
    if (this.#closing !== undefined) throw new ClosedError('the connection pool');
    const known = this.#keys.get(id);
    const trace = this.#watch.trace();
    const lease = known && this.#leaseAtOnce(known, key, trace);
    if (lease !== undefined) {
      this.#deferred.end();
      return lease;
    }
    return this.#wait(key, id, settings, trace);
  }

  /** An idle connection that is fit at once, or nothing; it never dials. */
  tryAcquire(key: K): PoolLease<C, K> | undefined {
    if (!acquires.start.hasSubscribers) return this.#tryAcquire(key);
    let lease: PoolLease<C, K> | undefined;
    let error: unknown;
    const attempt = async () => {
      try {
        lease = this.#tryAcquire(key);
      } catch (refused) {
        error = refused;
        throw refused;
      }
      return lease;
    };
    acquires.tracePromise(attempt, this.#watch.message(key)).catch(() => {});
    if (error !== undefined) throw error;
    return lease;
  }

  #tryAcquire(key: K): PoolLease<C, K> | undefined {
    const id = this.#hooks.keyId(key);
    if (this.#closing !== undefined) throw new ClosedError('the connection pool');
    const known = this.#keys.get(id);
    if (known === undefined) return undefined;
    const lease = this.#leaseAtOnce(known, key, this.#watch.trace());
    this.#deferred.end();
    return lease;
  }

  #wait(key: K, id: unknown, settings: WaitSettings, trace: Trace): Promise<PoolLease<C, K>> {
    const state = this.#keys.get(id) ?? this.#newKey(key, id);
    if (this.#hooks.identifies) state.key = key;
    this.#checkLine(state);
    this.#keys.set(id, state);
    if (this.#settings.minIdle > 0) state.usedMs = now();
    this.#waiting++;
    const promise = state.queue.wait(settings, trace);
    this.#deferred.run(() => this.#pump(state));
    return promise;
  }

  /** @throws QueueFullError when too many callers wait beyond the capacity (P19). */
  #checkLine(key: KeyState<C, K>): void {
    const { maxWaiting, maxWaitingPerKey } = this.#settings;
    if (this.#waiting < maxWaiting && key.waiting < maxWaitingPerKey) return;
    const { counts } = this.#lifecycle;
    const line = callersInLine(key, this.#keys.values(), counts, this.#settings);
    if (line.ofKey === 0 || (line.ofKey <= maxWaitingPerKey && line.inAll <= maxWaiting)) return;
    throw new QueueFullError({ ...this.#waitDetails(), key: key.key, waitedMs: 0, waiting: this.#waiting });
  }

  /** `reset` without a key means all of them. */
  reset(...keys: K[]): void {
    const ids = keys.length === 0 ? [...this.#keys.keys()] : keys.map((key) => this.#hooks.keyId(key));
    const states = new Set<KeyState<C, K>>();
    for (const [i, id] of ids.entries()) {
      const state = this.#keys.get(id);
      if (state === undefined) this.#memory.forget(id);
      else states.add(state);
      if (state !== undefined && keys.length > 0) state.key = keys[i] as K;
    }
    if (keys.length === 0) this.#memory.clear();
    this.#deferred.run(() => {
      for (const state of states) state.startGeneration();
      for (const slot of [...this.#lifecycle.slots]) {
        if (!states.has(slot.key)) continue;
        if (slot.state !== 'connecting') this.#lifecycle.retire(slot, 'reset');
        else this.#lifecycle.giveUpDial(slot, 'reset', new ClosedError('the generation of the connection'));
      }
      for (const state of states) this.#pump(state);
    });
  }

  /** Sets the cap. Idle connections above it close now, leased ones when they come back. */
  resize(max: number): void {
    this.#settings.max = max;
    const { counts, idle } = this.#lifecycle;
    this.#deferred.run(() => {
      for (let { head } = idle; head !== undefined && counts.total - counts.leaving > max; head = idle.head) {
        this.#lifecycle.retire(head.item, 'evicted');
      }
      for (const key of [...this.#keys.values()]) this.#pump(key);
    });
  }

  close(graceMs: number, drain: boolean): Promise<void> {
    if (this.#closing === undefined) {
      const isDraining = drain && this.#waiting > 0;
      this.#closing = new Closing(isDraining, this.#deferred, this.#endGrace);
      this.#memory.clear();
      this.#lifecycle.sweep.stop();
      if (!isDraining) this.#deferred.run(() => this.#endService(this.#closing!));
    }
    this.#closing.endWithin(graceMs);
    this.#finishClosing();
    return this.#closing.promise;
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

  keyStats(key: K): KeyStats | undefined {
    const state = this.#keys.get(this.#hooks.keyId(key));
    if (state === undefined) return undefined;
    const { total, connecting, idle, leased, checking, closing } = state.counts;
    const { waiting, failures } = state;
    return { total, connecting, idle, leased, validating: checking, closing, waiting, failures };
  }

  *keys(): IterableIterator<K> {
    for (const { key } of this.#keys.values()) yield key;
  }

  get max(): number {
    return this.#settings.max;
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
    const { counts, slots } = this.#lifecycle;
    const isAtKeyLimit = key.counts.total >= key.maximum;
    if (counts.total < this.#settings.max && !isAtKeyLimit) return true;
    for (const slot of slots) {
      if (isAtKeyLimit && slot.key !== key) continue;
      if (slot.key === key && slot.hasRoom) return true;
      if (slot.leases.length === 0 || slot.leases.some((lease) => !stuck.has(lease))) return true;
    }
    return false;
  }

  // ---- what happens ----------------------------------------------------------------------------------------

  giveBack(lease: PoolLease<C, K>, slot: Slot<C, K>, end: LeaseEnd): void {
    const { key } = slot;
    const connection = slot.connection as C;
    const isReusable =
      end.how === 'well' || (end.how === 'failed' && this.#hooks.isReusable(connection, key.key, end.error));
    const isAlive = !isReusable || key.waiting === 0 || this.#hooks.isAlive(connection, key.key);
    lease.leave();
    if (this.#hooks.watchesReleases) this.#reportRelease(lease);
    if (slot.state === 'leased') {
      const nowMs = now();
      slot.idleSinceMs = nowMs;
      if (end.how === 'well' && isAlive) this.#onProof(slot, nowMs);
      if (!isReusable) this.#lifecycle.retire(slot, 'error', end.how === 'failed' ? end.error : undefined);
      else if (slot.retireReason !== undefined) this.#lifecycle.retire(slot, slot.retireReason);
      else if (!isAlive) this.#lifecycle.lose(slot, undefined);
      else if (this.#hooks.canReset && this.#settings.leasesPerConnection === 1) {
        this.#checks.begin(slot, 'reset');
      } else this.#return(slot, nowMs);
      this.#pumpIfWanted(key);
    }
    if (this.#closing !== undefined) this.#finishClosing();
    this.#deferred.end();
  }

  /** A lease ended well: the server answers. */
  #onProof(slot: Slot<C, K>, nowMs: number): void {
    const { key } = slot;
    slot.served = true;
    slot.provenMs = nowMs;
    if (slot.generation !== key.generation) return;
    key.onAnswer(nowMs);
    if (key.failures === 0 || nowMs - slot.connectedMs < firstBackoffMs) return;
    key.forgetFailures();
    // Its timer is gone: waiters for whom it was armed are dialled for now.
    if (key.waiting > 0) this.#updateDemand(key);
  }

  #reportRelease(lease: PoolLease<C, K>): void {
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
      const error = slot.error ?? new Error('the connection was drained while it was being opened');
      this.#lifecycle.retire(slot, 'lost');
      this.onDialFailed(slot, error);
      return;
    }
    const nowMs = now();
    key.onAnswer(nowMs);
    key.onProbation(nowMs);
    this.#offer(slot, nowMs, 'fresh');
    this.#pump(key);
  }

  onDialFailed(slot: Slot<C, K>, error: unknown): void {
    const { key } = slot;
    const isOutweighed = key.answeredMs > slot.bornMs;
    const retryInMs = isOutweighed ? 0 : key.countFailure(slot.failuresBefore, error);
    this.#emit({ type: 'connectFailed', key: key.key, error, retryInMs });
    if (key.serving === 0) this.#refuse(key, () => connectError(key.key, error));
    this.#pump(key);
  }

  /** A connection lost before it served, or sooner than its backoff took, is a failed dial for the backoff. */
  onLost(slot: Slot<C, K>, error: unknown): number | undefined {
    const { key } = slot;
    if (this.#closing !== undefined || slot.generation !== key.generation) return undefined;
    const livedMs = now() - slot.connectedMs;
    const leastMs = slot.served ? Math.max(firstBackoffMs, slot.backoffBeforeMs) : longestBackoffMs;
    if (livedMs < leastMs) return key.countFailure(slot.failuresBefore, error);
    if (key.trust === 'answers') key.trust = 'unknown';
    return undefined;
  }

  onChecked(slot: Slot<C, K>, hook: CheckHook): void {
    const { key } = slot;
    const isAlive = this.#hooks.isAlive(slot.connection as C, key.key);
    // User code may have run: is there still something to decide?
    if (slot.state !== 'checking' && !slot.pinging) return;
    const nowMs = now();
    slot.provenMs = nowMs;
    key.onAnswer(nowMs);
    this.#lifecycle.endPing(slot);
    if (!isAlive) this.#lifecycle.lose(slot, undefined);
    else if (hook === 'reset') this.#return(slot, nowMs);
    else this.#offer(slot, nowMs, 'checked');
    this.#pump(key);
  }

  /** The siblings may be dead as well. They are checked side by side, and not counted on meanwhile. */
  onCheckFailed({ key }: Slot<C, K>): void {
    if (key.waiting > 0 && this.#hooks.canValidate) {
      const nowMs = now();
      for (let link = key.spare.head; link !== undefined; ) {
        const slot = link.item;
        link = link.next;
        if (slot.state !== 'idle' || !this.#isDue(slot, nowMs)) continue;
        this.#checks.begin(slot, 'validate');
        slot.suspect = true;
        key.suspects++;
      }
    }
    this.#pump(key);
  }

  onCapacity(slot: Slot<C, K>): void {
    const { key } = slot;
    const isOpen = slot.state === 'idle' || slot.state === 'leased';
    if (isOpen && !slot.retiring && !slot.pinging && slot.hasRoom && slot.spare.list === undefined) {
      key.spare.push(slot.spare);
    }
    this.#pump(key);
  }

  onFree(slot: Slot<C, K>): void {
    this.#pump(slot.key);
  }

  idleUntilMs(slot: Slot<C, K>): number {
    const { idleTimeoutMs, keepAliveMs, minIdle } = this.#settings;
    let idleMs = slot.idleSinceMs + idleTimeoutMs;
    const { key } = slot;
    if (minIdle > 0 && key.counts.idle <= minIdle) idleMs = Math.max(idleMs, this.#inUseUntilMs(key));
    const pingMs = this.#hooks.canValidate ? slot.provenMs + keepAliveMs : Infinity;
    return Math.min(idleMs, pingMs, slot.expiresMs);
  }

  onIdleDue(slot: Slot<C, K>, nowMs: number): void {
    const { idleTimeoutMs, keepAliveMs } = this.#settings;
    if (slot.expiresMs <= nowMs) this.#lifecycle.retire(slot, 'lifetime');
    else if (this.idleUntilMs(slot) > nowMs) return;
    else if (slot.provenMs + keepAliveMs <= nowMs && slot.idleSinceMs + idleTimeoutMs > nowMs) {
      this.#checks.begin(slot, 'validate');
    } else if (slot.provenMs + keepAliveMs <= nowMs && this.#isKept(slot.key, nowMs)) {
      this.#checks.begin(slot, 'validate');
    } else this.#lifecycle.retire(slot, 'idle');
  }

  // ---- who gets what ---------------------------------------------------------------------------------------

  /** The common case: nobody waits, and the connection used last is fit. */
  #leaseAtOnce(key: KeyState<C, K>, asked: K, trace: Trace): PoolLease<C, K> | undefined {
    if (this.#hooks.identifies) key.key = asked;
    if (this.#settings.minIdle > 0) key.usedMs = now();
    const slot = key.spare.tail?.item;
    if (slot === undefined || key.waiting > 0) return undefined;
    const nowMs = now();
    const isFit = this.#inspect(slot, nowMs) === 'fit';
    // Asked after the inspection, in which user code may have run.
    if (!isFit || key.waiting > 0 || slot.spare.list === undefined || !slot.hasRoom) return undefined;
    const lease = this.#lease(slot, nowMs, trace);
    if (this.#settings.minIdle > 0) this.#pump(key);
    return lease;
  }

  /** Whether an open connection may be leased: yes, only after validation, or for which reason not. */
  #inspect(slot: Slot<C, K>, nowMs: number): 'fit' | 'unproven' | CloseReason {
    if (nowMs >= slot.expiresMs) return 'lifetime';
    if (slot.state === 'idle' && nowMs - slot.idleSinceMs >= this.#settings.idleTimeoutMs) {
      if (!this.#isKept(slot.key, nowMs)) return 'idle';
    }
    if (!this.#hooks.isAlive(slot.connection as C, slot.key.key)) return 'lost';
    return this.#isDue(slot, nowMs) ? 'unproven' : 'fit';
  }

  /** Whether the connection must be validated before its next lease. */
  #isDue(slot: Slot<C, K>, nowMs: number): boolean {
    return this.#hooks.canValidate && nowMs - slot.provenMs >= this.#settings.validateAfterIdleMs;
  }

  /** Every lease is born here, whichever way it was asked for. */
  #lease(slot: Slot<C, K>, nowMs: number, trace: Trace): PoolLease<C, K> {
    const lease = new PoolLease(this, slot, nowMs);
    this.#lifecycle.occupy(slot);
    if (!slot.hasRoom) slot.spare.leave();
    if (++slot.uses >= this.#settings.maxUses) this.#lifecycle.retire(slot, 'lifetime');
    this.#counters.acquired++;
    if (trace !== undefined) this.#watch.onBirth(lease, trace);
    return lease;
  }

  /** A connection that was used: a waiter gets it once it is proved. */
  #return(slot: Slot<C, K>, nowMs: number): void {
    const isWanted = slot.key.waiting > 0 && slot.generation === slot.key.generation;
    if (isWanted && !slot.pinging && nowMs < slot.expiresMs && this.#isDue(slot, nowMs)) {
      this.#checks.begin(slot, 'validate');
    } else this.#offer(slot, nowMs, 'returned');
  }

  /** Gives a connection that has room to whoever should have it now. The double check of the insertion is here. */
  #offer(slot: Slot<C, K>, nowMs: number, from: 'fresh' | 'checked' | 'returned'): void {
    const { key } = slot;
    const { counts } = this.#lifecycle;
    if (slot.generation !== key.generation) this.#lifecycle.retire(slot, 'reset');
    else if (from !== 'fresh' && nowMs >= slot.expiresMs) this.#lifecycle.retire(slot, 'lifetime');
    else if (counts.total - counts.leaving > this.#settings.max) this.#lifecycle.retire(slot, 'evicted');
    else if (
      from !== 'fresh' &&
      this.#starved.promisingDemand > 0 &&
      this.#starved.mayTake(slot, counts.leaving, nowMs)
    ) {
      this.#counters.rebalanced++;
      this.#lifecycle.retire(slot, 'rebalanced');
      this.#starved.sendToEnd(key, nowMs);
    } else {
      if (!slot.pinging) this.#serve(slot, nowMs);
      if (slot.retireReason !== undefined) return;
      if (slot.leases.length === 0) {
        const { leasesPerConnection, minIdle } = this.#settings;
        const isSpare = key.spare.size > 0 && key.counts.idle >= minIdle;
        if (from === 'fresh' && leasesPerConnection > 1 && isSpare) {
          this.#lifecycle.retire(slot, 'duplicate');
          return;
        }
        this.#lifecycle.rest(slot);
      }
      if (slot.hasRoom && !slot.pinging && slot.spare.list === undefined) key.spare.push(slot.spare);
    }
  }

  /** Leases the connection to the key's oldest waiters, as many as it has room for. */
  #serve(slot: Slot<C, K>, nowMs: number): void {
    const { key } = slot;
    while (key.waiting > 0 && slot.hasRoom && slot.retireReason === undefined) {
      this.#waiting--;
      key.queue.grant(this.#lease(slot, nowMs, key.queue.head!.demand));
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
      else if (verdict === 'lost') this.#lifecycle.lose(slot, undefined);
      else if (verdict !== 'unproven') this.#lifecycle.retire(slot, verdict);
      else if (key.waiting <= key.leasesInCheck) return;
      else this.#checks.begin(slot, 'validate');
    }
  }

  /** Brings a key and those who compete with it up to date after anything that may have changed what they can have. */
  #pump(key: KeyState<C, K>): void {
    this.#match(key);
    this.#updateDemand(key);
    this.#serveStarved();
    if (this.#settings.minIdle > 0) this.#keepIdle(key);
    this.#forgetIfQuiet(key);
    if (this.#closing !== undefined) this.#finishClosing();
  }

  /** A connection that comes back never makes its key want more, so nothing wanted means nothing to do. */
  #pumpIfWanted(key: KeyState<C, K>): void {
    if (this.#starved.demand > 0 || this.#settings.minIdle > 0) this.#pump(key);
  }

  /** Says how many slots the key wants now, or arms its timer while its backoff runs. */
  #updateDemand(key: KeyState<C, K>): void {
    const wanted = this.#isServing ? key.slotsWanted : 0;
    const waitsForRetry = wanted > 0 && key.failures > 0 && now() < key.retryAtMs;
    if (waitsForRetry) this.#retryLater(key, 'foreground');
    else key.endRetry();
    this.#starved.want(key, waitsForRetry ? 0 : wanted);
  }

  get #isServing(): boolean {
    return this.#closing === undefined || this.#closing.isDraining;
  }

  /** One slot per key and turn, as long as there are any; then one is taken for each that is still missing. */
  #serveStarved(): void {
    const { counts, idle } = this.#lifecycle;
    const { max, maxConnectingTotal } = this.#settings;
    while (this.#starved.demand > 0 && counts.total < max && counts.connecting < maxConnectingTotal) {
      const key = this.#starved.next()!;
      this.#lifecycle.dial(key);
      this.#updateDemand(key);
    }
    const isFull = counts.total >= max;
    const missing = () => this.#starved.promisingDemand + counts.total - max - counts.leaving;
    for (let { head } = idle; isFull && head !== undefined && missing() > 0; head = idle.head) {
      this.#counters.evicted++;
      this.#lifecycle.retire(head.item, 'evicted');
    }
    this.#takenDials.take();
  }

  // ---- keys, failures, the end -----------------------------------------------------------------------------

  #newKey(key: K, id: unknown): KeyState<C, K> {
    const { maxPerKey } = this.#settings;
    const ownMaximum = typeof maxPerKey === 'function' ? this.#hooks.maxPerKey(maxPerKey, key) : maxPerKey;
    const state = new KeyState<C, K>(key, id, this.#settings, this, ownMaximum);
    const known = this.#memory.take(id);
    if (known !== undefined) state.restore(known);
    return state;
  }

  #forgetIfQuiet(key: KeyState<C, K>): void {
    if (!key.quiet || this.#keys.get(key.id) !== key) return;
    this.#keys.delete(key.id);
    if (key.failures > 0 && this.#closing === undefined) this.#memory.keep(key.id, key.toRemember());
  }

  #refuse(key: KeyState<C, K>, makeError: () => Error): void {
    this.#waiting -= key.waiting;
    key.queue.refuseAll(makeError);
  }

  /** Foreground keeps the process alive, because a caller waits for this backoff to end. */
  #retryLater(key: KeyState<C, K>, where: 'foreground' | 'background'): void {
    const background = where === 'background';
    const dueMs = key.retryAtMs;
    if (key.retry?.dueMs === dueMs && key.retry.background === background) return;
    key.endRetry();
    const end = () => {
      key.endRetry();
      this.#deferred.run(() => this.#pump(key));
    };
    const delayMs = Math.max(0, dueMs - now());
    const timer = this.#deferred.context.run(setTimer, end, delayMs, { background });
    key.retry = { dueMs, timer, background };
  }

  #warmUp(): void {
    if (this.#closing !== undefined) return;
    const key = undefined as K;
    const state = this.#keys.get(undefined) ?? this.#newKey(key, undefined);
    this.#keys.set(undefined, state);
    this.#deferred.run(() => this.#pump(state));
  }

  /** Until when the key counts as used. A pool with one target always uses it. */
  #inUseUntilMs(key: KeyState<C, K>): number {
    if (this.#closing !== undefined) return -Infinity;
    return key.id === undefined ? Infinity : key.usedMs + this.#settings.idleTimeoutMs;
  }

  #isKept(key: KeyState<C, K>, nowMs: number): boolean {
    const { minIdle } = this.#settings;
    return minIdle > 0 && key.counts.idle <= minIdle && nowMs < this.#inUseUntilMs(key);
  }

  /** Dials for `minIdle` in slots that nobody else wants, under the same limits and the same backoff. */
  #keepIdle(key: KeyState<C, K>): void {
    const nowMs = now();
    if (nowMs >= this.#inUseUntilMs(key)) return;
    const { max, minIdle, maxConnecting, maxConnectingTotal } = this.#settings;
    const own = key.counts;
    const { counts } = this.#lifecycle;
    const ready = () => own.idle + own.connecting + own.checking - key.waiting;
    if (ready() < minIdle && key.failures > 0 && nowMs < key.retryAtMs) {
      if (key.retry === undefined) this.#retryLater(key, 'background');
      return;
    }
    const atOnce = key.failures > 0 ? 1 : maxConnecting;
    while (
      ready() < minIdle &&
      this.#starved.demand === 0 &&
      counts.total < max &&
      own.total < key.maximum &&
      own.connecting < atOnce &&
      counts.connecting < maxConnectingTotal
    ) {
      this.#lifecycle.dial(key);
    }
  }

  /** Refuses all who wait and gives no more leases. */
  #endService(closing: Closing): void {
    closing.isDraining = false;
    for (const key of [...this.#keys.values()]) {
      this.#refuse(key, () => new ClosedError('the connection pool'));
      key.endRetry();
      this.#pump(key);
    }
    for (const slot of [...this.#lifecycle.slots]) {
      if (slot.leases.length > 0) this.#lifecycle.retire(slot, 'shutdown');
      else this.#lifecycle.shutDown(slot);
    }
  }

  readonly #endGrace = (): void => {
    this.#deferred.run(() => {
      if (this.#closing?.isDraining) this.#endService(this.#closing);
      for (const slot of [...this.#lifecycle.slots]) this.#lifecycle.shutDown(slot);
    });
  };

  #finishClosing(): void {
    const closing = this.#closing;
    if (closing?.isDraining && this.#waiting === 0) this.#deferred.run(() => this.#endService(closing));
    if (closing === undefined || closing.isDraining || this.#lifecycle.counts.total > 0) return;
    closing.finish();
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
