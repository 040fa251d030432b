/**
 * What the pool does when something ends: a dial, a check, a lease, a wait, a close. Each of these comes as a new section, which
 * reads the state afresh. After each of them the keys that it touched are brought up to date (`pump`).
 */
import type { WaitDetails } from '../contract/errors.js';
import { now } from '../runtime/clock.js';
import type { ObservedGrant } from '../runtime/observer.js';
import { type CheckHook, Checks, type ChecksOwner } from './checks.js';
import { Closing } from './closing.js';
import { Demand } from './demand.js';
import { Dialler, type DialOwner } from './dialler.js';
import { longestBackoffMs } from './failure-memory.js';
import type { Hooks } from './hooks.js';
import { IdleRules } from './idle-rules.js';
import type { KeyOwner, KeyState } from './key-state.js';
import type { LeaseEnd, LeaseOwner, PoolLease } from './lease.js';
import { LeaseWatch } from './lease-watch.js';
import { Lifecycle, type LifecycleOwner } from './lifecycle.js';
import { Matching } from './matching.js';
import { connectError } from './pool-errors.js';
import type { PoolState } from './pool-state.js';
import { firstBackoffMs } from './server-health.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { canServe, grantOf, waitDetails } from './views.js';

export class Reactions<C, K>
  implements DialOwner<C, K>, LifecycleOwner<C, K>, ChecksOwner<C, K>, KeyOwner<C, K>, LeaseOwner<C, K>
{
  readonly lifecycle: Lifecycle<C, K>;
  readonly demand: Demand<C, K>;
  readonly idleRules: IdleRules<C, K>;
  readonly watch: LeaseWatch<C, K>;
  readonly matching: Matching<C, K>;
  readonly closing: Closing<C, K>;
  readonly #state: PoolState<C, K>;
  readonly #hooks: Hooks<C, K>;
  readonly #settings: PoolSettings;
  readonly #checks: Checks<C, K>;

  constructor(state: PoolState<C, K>) {
    const pump = (key: KeyState<C, K>) => this.pump(key);
    this.#state = state;
    this.#hooks = state.hooks;
    this.#settings = state.settings;
    this.lifecycle = new Lifecycle(state, this);
    this.#checks = new Checks(state, this.lifecycle, this);
    const dialler = new Dialler(state, this.lifecycle, this);
    this.demand = new Demand(state, this.lifecycle, dialler, pump);
    this.idleRules = new IdleRules(state, this.lifecycle, this.#checks, dialler, this.demand);
    this.watch = new LeaseWatch(state);
    this.matching = new Matching(state, this.lifecycle, this.#checks, this.idleRules, this.watch, this);
    this.closing = new Closing(state, this.lifecycle, this.idleRules, pump);
  }

  /** Gives the key, and keys that compete with it, what they can have now. Called after every change. */
  pump(key: KeyState<C, K>): void {
    this.matching.match(key);
    this.demand.update(key);
    this.demand.serve();
    if (this.#settings.minIdle > 0) this.idleRules.refill(key);
    this.#state.forgetIfQuiet(key);
    if (this.#state.phase !== 'open') this.closing.finishIfEmpty();
  }

  // ---- leases and waits ------------------------------------------------------------------------------------

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
      if (!isReusable) this.lifecycle.retire(slot, 'error', end.how === 'failed' ? end.error : undefined);
      else if (slot.retireReason !== undefined) this.lifecycle.retire(slot, slot.retireReason);
      else if (!isAlive) this.lifecycle.lose(slot, undefined);
      else if (this.#hooks.canReset && this.#settings.leasesPerConnection === 1)
        this.#checks.begin(slot, 'reset');
      else this.matching.takeBack(slot, nowMs);
      // A connection that comes back makes its key want more only if waiters counted on its check; else, without demand, there
      // is nothing to do.
      const isWithdrawn = slot.retireReason !== undefined && key.waiting > 0;
      if (isWithdrawn || this.#state.starved.demand > 0 || this.#settings.minIdle > 0) this.pump(key);
    }
    if (this.#state.phase !== 'open') this.closing.finishIfEmpty();
    this.#state.deferred.end();
  }

  /** A lease ended well: the server answers. */
  #onProof(slot: Slot<C, K>, nowMs: number): void {
    const { key } = slot;
    slot.served = true;
    slot.provenMs = nowMs;
    if (slot.generation !== key.generation) return;
    key.server.onAnswer(nowMs);
    if (key.server.failures === 0 || nowMs - slot.connectedMs < firstBackoffMs) return;
    key.server.forgetFailures();
    // The backoff timer is gone: dial now for the waiters that it was armed for.
    if (key.waiting > 0) this.demand.update(key);
  }

  /** Apart from `giveBack`: V8 allocates a context on every call of a function that contains closures. */
  #reportRelease(lease: PoolLease<C, K>): void {
    this.#state.deferred.afterwards(() => this.#hooks.released(lease));
  }

  onDoubleRelease(lease: PoolLease<C, K>): void {
    this.#state.emit({ type: 'doubleRelease', key: lease.key });
    this.#state.deferred.end();
  }

  /** An order has refused a waiter. The call that made it choose serves the next one. */
  onRefuse(): void {
    this.#state.waiting--;
  }

  /** A waiter gave up. */
  onLeave(key: KeyState<C, K>, why: 'aborted' | 'timedOut'): void {
    this.#state.waiting--;
    this.#state.counters[why]++;
    this.#state.deferred.run(() => this.pump(key));
  }

  // ---- connections -----------------------------------------------------------------------------------------

  /** A dial answers a demand that may be gone: everything is asked again. */
  onConnected(slot: Slot<C, K>): void {
    const { key } = slot;
    if (slot.retireReason === 'lost') {
      const error = slot.error ?? new Error('the connection was drained while it was being opened');
      this.lifecycle.retire(slot, 'lost');
      this.onDialFailed(slot, error);
      return;
    }
    const nowMs = now();
    key.server.onAnswer(nowMs);
    key.server.onProbation(nowMs);
    this.matching.offer(slot, nowMs, 'fresh');
    this.pump(key);
  }

  onDialFailed(slot: Slot<C, K>, error: unknown): void {
    const { key } = slot;
    const isOutweighed = key.server.answeredMs > slot.bornMs;
    const retryInMs = isOutweighed ? 0 : key.server.countFailure(slot.failuresBefore, error);
    this.#state.emit({ type: 'connectFailed', key: key.key, error, retryInMs });
    if (key.serving === 0) this.#state.refuse(key, () => connectError(key.key, error));
    this.pump(key);
  }

  /** A connection lost before it served, or sooner than its backoff took, is a failed dial for the backoff. */
  onLost(slot: Slot<C, K>, error: unknown): number | undefined {
    const { server } = slot.key;
    if (this.#state.phase !== 'open') return undefined;
    const livedMs = now() - slot.connectedMs;
    const leastMs = slot.served ? Math.max(firstBackoffMs, slot.backoffBeforeMs) : longestBackoffMs;
    if (livedMs < leastMs) return server.countFailure(slot.failuresBefore, error);
    if (server.trust === 'answers') server.trust = 'unknown';
    return undefined;
  }

  onChecked(slot: Slot<C, K>, hook: CheckHook): void {
    const { key } = slot;
    const isAlive = this.#hooks.isAlive(slot.connection as C, key.key);
    // User code may have run: is there still something to decide?
    if (slot.state !== 'checking' && !slot.pinging) return;
    const nowMs = now();
    slot.provenMs = nowMs;
    key.server.onAnswer(nowMs);
    this.lifecycle.endPing(slot);
    if (!isAlive) this.lifecycle.lose(slot, undefined);
    else if (hook === 'reset') this.matching.takeBack(slot, nowMs);
    else this.matching.offer(slot, nowMs, 'checked');
    this.pump(key);
  }

  /** The siblings may be dead as well. They are checked side by side, and not counted on meanwhile. */
  onCheckFailed({ key }: Slot<C, K>): void {
    if (key.waiting > 0) {
      const nowMs = now();
      for (let link = key.spare.head; link !== undefined; ) {
        const slot = link.item;
        link = link.next;
        if (slot.state !== 'idle' || !this.matching.isDue(slot, nowMs)) continue;
        this.#checks.begin(slot, 'validate');
        slot.suspect = true;
        key.suspects++;
      }
    }
    this.pump(key);
  }

  onCapacity(slot: Slot<C, K>): void {
    const isOpen = slot.state === 'idle' || slot.state === 'leased';
    if (isOpen && !slot.retiring) this.matching.addSpare(slot);
    this.#pumpFor(slot);
  }

  onWithdrawn(slot: Slot<C, K>): void {
    this.#pumpFor(slot);
  }

  /** For a report of a connection, which may come when its key has been forgotten. */
  #pumpFor(slot: Slot<C, K>): void {
    if (slot.state !== 'gone') this.pump(slot.key);
  }

  onFree(slot: Slot<C, K>): void {
    this.pump(slot.key);
  }

  // ---- for errors and an observer --------------------------------------------------------------------------

  get observed(): object {
    return this.#hooks.source;
  }

  describe(key: KeyState<C, K>, waitedMs: number): WaitDetails {
    return waitDetails(this.#state, key.key, waitedMs, this.#state.waiting - 1);
  }

  grantOf(slot: Slot<C, K>): ObservedGrant {
    return grantOf(this.#state, slot);
  }

  canServe(key: KeyState<C, K>, stuck: { has(lease: object): boolean }): boolean {
    return canServe(this.#state, key, stuck);
  }
}
