/**
 * Inventory: every slot from the reservation before its dial to the end of its close, and the counts that bound
 * them. It knows how a connection comes, is checked and goes; who gets it is decided in pool-core.
 */

import { timeoutReason, withTimeout } from '../calling/with-timeout.js';
import { ClosedError } from '../contract/errors.js';
import { now, setTimer, type Timer } from '../runtime/clock.js';
import { type Link, LinkedList } from '../waiting/linked-list.js';
import type { CloseReason, ConnectContext, ConnectionPoolEvent } from './connector.js';
import type { DeferredCalls } from './deferred-calls.js';
import type { Hooks } from './hooks.js';
import type { KeyState } from './key-state.js';
import type { PoolSettings } from './settings.js';
import { Slot } from './slot.js';
import { SlotCounts, type SlotState } from './slot-counts.js';

const lifetimeJitter = 0.1;

/** What the inventory tells whoever decides. Each is called inside a section. */
export interface LifecycleOwner<C, K> {
  onConnected(slot: Slot<C, K>): void;
  onDialFailed(slot: Slot<C, K>, error: unknown): void;
  onChecked(slot: Slot<C, K>): void;
  onFree(slot: Slot<C, K>): void;
}

export class Lifecycle<C, K> {
  readonly counts = new SlotCounts();
  readonly slots = new Set<Slot<C, K>>();
  /** Idle connections of all keys, the least recently used first. */
  readonly idle = new LinkedList<Link<Slot<C, K>>>();
  readonly counters = { connected: 0, connectFailed: 0, abandoned: 0 };
  readonly #settings: PoolSettings;
  readonly #hooks: Hooks<C, K>;
  readonly #deferred: DeferredCalls;
  readonly #owner: LifecycleOwner<C, K>;
  #sweep: { readonly dueMs: number; readonly timer: Timer } | undefined;

  constructor(
    settings: PoolSettings,
    hooks: Hooks<C, K>,
    deferred: DeferredCalls,
    owner: LifecycleOwner<C, K>,
  ) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#deferred = deferred;
    this.#owner = owner;
  }

  /** Takes a slot, in this section, and dials when it has ended. */
  dial(key: KeyState<C, K>): void {
    const slot = new Slot(key, now());
    this.slots.add(slot);
    this.counts.connecting++;
    key.counts.connecting++;
    this.#deferred.afterwards(() => this.#connect(slot));
  }

  #connect(slot: Slot<C, K>): void {
    if (slot.state !== 'connecting') return;
    const { connectTimeoutMs } = this.#settings;
    // Made when first asked for: many connectors never are, and it is the dearest part of a dial.
    let lazyController: AbortController | undefined;
    const controller = () => {
      lazyController ??= new AbortController();
      return lazyController;
    };
    const context: ConnectContext = {
      get signal() {
        return controller().signal;
      },
      lost: (error) => this.#deferred.run(() => this.lose(slot, error)),
      drain: () => this.#deferred.run(() => this.retire(slot, 'lost')),
    };
    let stop = () => {};
    slot.interrupt = (reason) => {
      stop();
      this.#move(slot, 'closing');
      this.#deferred.afterwards(() => {
        controller().abort(reason);
        this.#awaitGivenUpDial(slot, dial);
      });
    };
    const dial = this.#hooks.connect(slot.key.key, context);
    // The hook itself may have closed the pool.
    if (slot.state !== 'connecting') return;
    stop = withTimeout(() => dial, connectTimeoutMs, {
      value: (connection) => this.#deferred.run(() => this.#arrive(slot, connection)),
      error: (error) =>
        this.#deferred.run(() => {
          this.#remove(slot);
          this.#fail(slot, error);
        }),
      timeout: () =>
        this.#deferred.run(() => {
          const reason = timeoutReason('connect', connectTimeoutMs);
          slot.interrupt?.(reason);
          this.#fail(slot, reason);
        }),
    });
  }

  #arrive(slot: Slot<C, K>, connection: C): void {
    const nowMs = now();
    const lifetimeMs = this.#settings.maxLifetimeMs * (1 - Math.random() * lifetimeJitter);
    slot.expiresMs = nowMs + lifetimeMs;
    slot.connection = connection;
    slot.interrupt = undefined;
    this.#move(slot, 'checking');
    this.counters.connected++;
    this.#emit({ type: 'connect', key: slot.key.key, durationMs: nowMs - slot.bornMs });
    this.#owner.onConnected(slot);
  }

  #fail(slot: Slot<C, K>, error: unknown): void {
    this.counters.connectFailed++;
    this.#owner.onDialFailed(slot, error);
  }

  /** A dial that was given up keeps its slot until it settles, for the server may count it; but not for ever. */
  #awaitGivenUpDial(slot: Slot<C, K>, dial: Promise<C>): void {
    withTimeout(() => dial, this.#settings.closeTimeoutMs, {
      value: (connection) =>
        this.#deferred.run(() => {
          slot.connection = connection;
          this.#close(slot, slot.retireReason ?? 'error');
        }),
      error: () => this.#deferred.run(() => this.#free(slot)),
      timeout: () => this.#deferred.run(() => this.#abandon(slot, 'connect')),
      lateValue: (connection) => {
        this.#hooks.close(connection, slot.retireReason ?? 'error').catch(() => {});
      },
    });
  }

  /** Has a connection without leases validated or reset; it is nobody's until that has ended. */
  check(slot: Slot<C, K>, hook: 'validate' | 'reset'): void {
    this.#move(slot, 'checking');
    slot.spare.leave();
    slot.idle.leave();
    this.#deferred.afterwards(() => this.#runCheck(slot, hook));
  }

  #runCheck(slot: Slot<C, K>, hook: 'validate' | 'reset'): void {
    if (slot.state !== 'checking') return;
    const { validateTimeoutMs } = this.#settings;
    const controller = new AbortController();
    const fail = (error: unknown) => {
      this.#emit({ type: 'hookError', key: slot.key.key, hook, error });
      this.retire(slot, 'invalid');
    };
    let stop = () => {};
    slot.interrupt = (reason) => {
      stop();
      this.#deferred.afterwards(() => controller.abort(reason));
    };
    const check = this.#hooks[hook](slot.connection as C, controller.signal);
    if (slot.state !== 'checking') return;
    stop = withTimeout(() => check, validateTimeoutMs, {
      value: (fit) =>
        this.#deferred.run(() => {
          slot.interrupt = undefined;
          if (fit) this.#owner.onChecked(slot);
          else this.retire(slot, 'invalid');
        }),
      error: (error) => this.#deferred.run(() => fail(error)),
      timeout: () => this.#deferred.run(() => fail(timeoutReason(hook, validateTimeoutMs))),
    });
  }

  /** A lease was given out: the connection is no longer idle. */
  occupy(slot: Slot<C, K>): void {
    if (slot.state === 'leased') return;
    slot.idle.leave();
    this.#move(slot, 'leased');
    if (this.#hooks.countsReferences) this.#tellReferences('ref', slot);
  }

  /** Nobody uses the connection for now. */
  rest(slot: Slot<C, K>, nowMs: number): void {
    slot.idleSinceMs = nowMs;
    this.#move(slot, 'idle');
    this.idle.push(slot.idle);
    this.#sweepBy(this.#idleUntilMs(slot));
    if (this.#hooks.countsReferences) this.#tellReferences('unref', slot);
  }

  #tellReferences(hook: 'ref' | 'unref', slot: Slot<C, K>): void {
    this.#deferred.afterwards(() => this.#hooks[hook](slot.connection as C, slot.key.key));
  }

  /** Gives the connection no more leases, and closes it when it has none. */
  retire(slot: Slot<C, K>, reason: CloseReason): void {
    if (slot.state === 'closing' || slot.state === 'gone') return;
    slot.retireReason ??= reason;
    slot.spare.leave();
    slot.idle.leave();
    if (slot.state === 'connecting') return;
    if (slot.leases.length === 0) this.#hangUp(slot, slot.retireReason);
    else this.#setRetiring(slot, true);
  }

  /** The connection is dead: its holders are told. */
  lose(slot: Slot<C, K>, error: unknown): void {
    if (slot.state === 'closing' || slot.state === 'gone') return;
    slot.lostError ??= error;
    this.#tellHolders(slot, 'the connection was lost', error);
    this.retire(slot, 'lost');
  }

  /** Ends whatever the slot is doing, leases included. */
  shutDown(slot: Slot<C, K>): void {
    this.retire(slot, 'shutdown');
    if (slot.state === 'leased') {
      this.#tellHolders(slot, 'the connection was closed by force', undefined);
      this.#hangUp(slot, 'shutdown');
    } else if (slot.state !== 'connecting') return;
    else if (slot.interrupt === undefined) this.#free(slot);
    else slot.interrupt(new ClosedError('the connection pool'));
  }

  stopSweeping(): void {
    this.#sweep?.timer.cancel();
    this.#sweep = undefined;
  }

  #tellHolders(slot: Slot<C, K>, message: string, cause: unknown): void {
    for (const lease of slot.leases) this.#deferred.afterwards(() => lease.lose(message, cause));
  }

  #hangUp(slot: Slot<C, K>, reason: CloseReason): void {
    slot.interrupt?.(new ClosedError('the connection'));
    slot.interrupt = undefined;
    this.#setRetiring(slot, false);
    this.#move(slot, 'closing');
    this.#close(slot, reason);
  }

  #close(slot: Slot<C, K>, reason: CloseReason): void {
    const { key } = slot.key;
    this.#emit({ type: 'close', key, reason });
    this.#deferred.afterwards(() => {
      withTimeout(() => this.#hooks.close(slot.connection as C, reason), this.#settings.closeTimeoutMs, {
        value: () => this.#deferred.run(() => this.#free(slot)),
        error: (error) =>
          this.#deferred.run(() => {
            this.#emit({ type: 'hookError', key, hook: 'close', error });
            this.#free(slot);
          }),
        timeout: () => this.#deferred.run(() => this.#abandon(slot, 'close')),
      });
    });
  }

  /** Gives the slot back although what it stood for may live on: a hook that never settles must not cost one. */
  #abandon(slot: Slot<C, K>, hook: 'connect' | 'close'): void {
    this.counters.abandoned++;
    this.#emit({ type: 'abandoned', key: slot.key.key, hook });
    this.#free(slot);
  }

  /** The single exit of every slot but that of a failed dial, whose failure is told with it. */
  #free(slot: Slot<C, K>): void {
    this.#remove(slot);
    this.#owner.onFree(slot);
  }

  #remove(slot: Slot<C, K>): void {
    this.#move(slot, 'gone');
    this.slots.delete(slot);
  }

  #move(slot: Slot<C, K>, to: SlotState): void {
    this.counts.move(slot.state, to);
    slot.key.counts.move(slot.state, to);
    slot.state = to;
  }

  #setRetiring(slot: Slot<C, K>, retiring: boolean): void {
    if (slot.retiring === retiring) return;
    slot.retiring = retiring;
    const step = retiring ? 1 : -1;
    this.counts.retiring += step;
    slot.key.counts.retiring += step;
  }

  #idleUntilMs(slot: Slot<C, K>): number {
    return Math.min(slot.idleSinceMs + this.#settings.idleTimeoutMs, slot.expiresMs);
  }

  /** One background timer for all idle connections, armed for the earliest that is due. */
  #sweepBy(dueMs: number): void {
    if (dueMs === Infinity || (this.#sweep !== undefined && this.#sweep.dueMs <= dueMs)) return;
    this.#sweep?.timer.cancel();
    const sweep = () => this.#deferred.run(() => this.#closeOverdue());
    const delayMs = Math.max(0, dueMs - now());
    const timer = this.#deferred.context.run(setTimer, sweep, delayMs, { background: true });
    this.#sweep = { dueMs, timer };
  }

  #closeOverdue(): void {
    this.#sweep = undefined;
    const nowMs = now();
    let nextMs = Infinity;
    for (let link = this.idle.head; link !== undefined; ) {
      const slot = link.item;
      link = link.next;
      const untilMs = this.#idleUntilMs(slot);
      if (untilMs <= nowMs) this.retire(slot, slot.expiresMs <= nowMs ? 'lifetime' : 'idle');
      else nextMs = Math.min(nextMs, untilMs);
    }
    this.#sweepBy(nextMs);
  }

  #emit(event: ConnectionPoolEvent): void {
    if (this.#hooks.listens) this.#deferred.afterwards(() => this.#hooks.emit(event));
  }
}
