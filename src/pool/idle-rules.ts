/**
 * How long connections stay idle, and how many should: `idleTimeoutMs`, `keepAliveMs`, `maxLifetimeMs` and `minIdle`.
 * A connection that `minIdle` keeps stays as long as its key is in use, beyond its `idleTimeoutMs`.
 */
import { now } from '../runtime/clock.js';
import type { Checks } from './checks.js';
import type { Demand } from './demand.js';
import type { Dialler } from './dialler.js';
import { IdleSweep } from './idle-sweep.js';
import type { KeyState } from './key-state.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';
import type { Slot } from './slot.js';

export class IdleRules<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #checks: Checks<C, K>;
  readonly #dialler: Dialler<C, K>;
  readonly #demand: Demand<C, K>;
  readonly #sweep: IdleSweep<C, K>;

  constructor(
    state: PoolState<C, K>,
    lifecycle: Lifecycle<C, K>,
    checks: Checks<C, K>,
    dialler: Dialler<C, K>,
    demand: Demand<C, K>,
  ) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#checks = checks;
    this.#dialler = dialler;
    this.#demand = demand;
    this.#sweep = new IdleSweep(state.idle, state.deferred, this);
  }

  /** A connection has come to rest: it is looked at again when it is due. */
  watch(slot: Slot<C, K>): void {
    this.#sweep.by(this.untilMs(slot));
  }

  stop(): void {
    this.#sweep.stop();
  }

  /** Until when an idle connection may stay as it is. */
  untilMs(slot: Slot<C, K>): number {
    const { settings, hooks } = this.#state;
    const { idleTimeoutMs, keepAliveMs, minIdle } = settings;
    let idleMs = slot.idleSinceMs + idleTimeoutMs;
    const { key } = slot;
    if (minIdle > 0 && key.counts.idle <= minIdle) idleMs = Math.max(idleMs, this.#inUseUntilMs(key));
    const pingMs = hooks.canValidate ? slot.provenMs + keepAliveMs : Infinity;
    return Math.min(idleMs, pingMs, slot.expiresMs);
  }

  /** An idle connection is due: for its end, or for a check. */
  onDue(slot: Slot<C, K>, nowMs: number): void {
    const { idleTimeoutMs, keepAliveMs } = this.#state.settings;
    if (slot.expiresMs <= nowMs) this.#lifecycle.retire(slot, 'lifetime');
    else if (this.untilMs(slot) > nowMs) return;
    else if (slot.provenMs + keepAliveMs > nowMs) this.#lifecycle.retire(slot, 'idle');
    else if (slot.idleSinceMs + idleTimeoutMs > nowMs || this.isKept(slot.key, nowMs)) {
      this.#checks.begin(slot, 'validate');
    } else this.#lifecycle.retire(slot, 'idle');
  }

  /** Whether `minIdle` keeps the key's idle connections. */
  isKept(key: KeyState<C, K>, nowMs: number): boolean {
    const { minIdle } = this.#state.settings;
    return minIdle > 0 && key.counts.idle <= minIdle && nowMs < this.#inUseUntilMs(key);
  }

  /** Until when the key counts as used. A pool with one target always uses it. */
  #inUseUntilMs(key: KeyState<C, K>): number {
    if (this.#state.phase !== 'open') return -Infinity;
    return key.id === undefined ? Infinity : key.usedMs + this.#state.settings.idleTimeoutMs;
  }

  /** Dials for `minIdle` in slots that no other key wants, under the same limits and the same backoff. */
  refill(key: KeyState<C, K>): void {
    if (now() >= this.#inUseUntilMs(key)) return;
    const { counts, starved, settings } = this.#state;
    const { max, minIdle, maxConnecting, maxConnectingTotal } = settings;
    const { counts: own, server } = key;
    const ready = () => own.idle + own.connecting + own.checking - key.waiting;
    if (ready() < minIdle && server.backsOff) {
      if (server.retry === undefined) this.#demand.retryLater(key, 'background');
      return;
    }
    const atOnce = server.failures > 0 ? 1 : maxConnecting;
    while (
      ready() < minIdle &&
      starved.demand === 0 &&
      counts.total < max &&
      own.total < key.maximum &&
      own.connecting < atOnce &&
      counts.connecting < maxConnectingTotal
    ) {
      this.#dialler.dial(key);
    }
  }
}
