/**
 * Every slot from the reservation before its dial to the end of its close, and the counts that bound them. This file
 * knows how a connection comes, rests and goes; checks.ts how it is checked; pool-core.ts decides who gets it.
 */

import { timeoutReason, withTimeout } from '../calling/with-timeout.js';
import { checkCount } from '../contract/arguments.js';
import { ClosedError } from '../contract/errors.js';
import { now } from '../runtime/clock.js';
import { type Link, LinkedList } from '../waiting/linked-list.js';
import type { CloseReason, ConnectContext, ConnectionPoolEvent } from './connector.js';
import type { DeferredCalls } from './deferred-calls.js';
import type { Hooks } from './hooks.js';
import { IdleSweep } from './idle-sweep.js';
import type { KeyState } from './key-state.js';
import type { PoolSettings } from './settings.js';
import { Slot } from './slot.js';
import { SlotCounts, type SlotState } from './slot-counts.js';

const lifetimeJitter = 0.1;
/** How long a starving key waits for the slot of a dial that ignores its signal. */
const takenDialMs = 1_000;

/** What the lifecycle tells the core. Each is called inside a section. */
export interface LifecycleOwner<C, K> {
  onConnected(slot: Slot<C, K>): void;
  onDialFailed(slot: Slot<C, K>, error: unknown): void;
  /** A connection was lost; returns the backoff in milliseconds that this caused, if any. */
  onLost(slot: Slot<C, K>, error: unknown): number | undefined;
  /** The connection may have more leases, or fewer, than before. */
  onCapacity(slot: Slot<C, K>): void;
  onFree(slot: Slot<C, K>): void;
  /** An idle connection is due: for its end, or for a check. */
  onIdleDue(slot: Slot<C, K>, nowMs: number): void;
  /** Until when an idle connection may stay as it is. */
  idleUntilMs(slot: Slot<C, K>): number;
}

export class Lifecycle<C, K> {
  readonly counts = new SlotCounts();
  readonly slots = new Set<Slot<C, K>>();
  /** The slots that are connecting, the oldest first. */
  readonly dials = new Set<Slot<C, K>>();
  /** Idle connections of all keys, the least recently used first. */
  readonly idle = new LinkedList<Link<Slot<C, K>>>();
  readonly counters = { connected: 0, connectFailed: 0, abandoned: 0 };
  readonly sweep: IdleSweep<C, K>;
  readonly #settings: PoolSettings;
  readonly #hooks: Hooks<C, K>;
  readonly #deferred: DeferredCalls;
  readonly #owner: LifecycleOwner<C, K>;

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
    this.sweep = new IdleSweep(this.idle, deferred, owner);
  }

  /** Takes a slot, in this section, and dials when it has ended. */
  dial(key: KeyState<C, K>): void {
    const slot = new Slot(key, now(), this.#settings.leasesPerConnection);
    this.slots.add(slot);
    this.dials.add(slot);
    this.counts.connecting++;
    key.counts.connecting++;
    key.onDial(slot.bornMs);
    this.#deferred.afterwards(() => this.#connect(slot));
  }

  #connect(slot: Slot<C, K>): void {
    if (slot.state !== 'connecting') return;
    const { connectTimeoutMs } = this.#settings;
    // Made when first asked for: many connectors never read it, and it is the most expensive part of a dial.
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
      capacity: (leases) => {
        checkCount('leases', leases);
        this.#deferred.run(() => this.#setCapacity(slot, leases));
      },
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
    // The hook itself may have closed or reset the pool, or said that the connection is lost.
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
          this.giveUpDial(slot, 'error', reason);
          this.#fail(slot, reason);
        }),
    });
  }

  #arrive(slot: Slot<C, K>, connection: C): void {
    const nowMs = now();
    const lifetimeMs = this.#settings.maxLifetimeMs * (1 - Math.random() * lifetimeJitter);
    slot.expiresMs = nowMs + lifetimeMs;
    slot.connectedMs = slot.idleSinceMs = slot.provenMs = nowMs;
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

  /** Ends a dial whose result nobody wants any more. Its slot counts until the hook has settled. */
  giveUpDial(slot: Slot<C, K>, reason: CloseReason, error: unknown): void {
    slot.retireReason ??= reason;
    if (slot.interrupt === undefined) this.#free(slot);
    else slot.interrupt(error);
  }

  /**
   * A dial that was given up keeps its slot until it settles, because the server may count it, but for a bounded time.
   * Its `connect` was not reported, so its close is not reported either.
   */
  #awaitGivenUpDial(slot: Slot<C, K>, dial: Promise<C>): void {
    const reason = slot.retireReason ?? 'error';
    const { closeTimeoutMs } = this.#settings;
    const timeoutMs = reason === 'evicted' ? Math.min(closeTimeoutMs, takenDialMs) : closeTimeoutMs;
    withTimeout(() => dial, timeoutMs, {
      value: (connection) => {
        slot.connection = connection;
        this.#callClose(slot, reason);
      },
      error: () => this.#deferred.run(() => this.#free(slot)),
      timeout: () => this.#deferred.run(() => this.#abandon(slot, 'connect')),
      lateValue: (connection) => {
        this.#hooks.close(connection, reason).catch(() => {});
      },
    });
  }

  #setCapacity(slot: Slot<C, K>, leases: number): void {
    slot.capacity = Math.min(leases, this.#settings.leasesPerConnection);
    if (!slot.hasRoom) slot.spare.leave();
    if (slot.connection !== undefined) this.#owner.onCapacity(slot);
  }

  /** Nobody can have the connection until its check has ended. */
  beginCheck(slot: Slot<C, K>): void {
    this.#move(slot, 'checking');
    slot.spare.leave();
    slot.idle.leave();
  }

  /** The connection is validated beside its leases; there are no new ones meanwhile. */
  beginPing(slot: Slot<C, K>): void {
    slot.pinging = true;
    slot.key.pings++;
    slot.spare.leave();
  }

  endPing(slot: Slot<C, K>): void {
    if (!slot.pinging) return;
    slot.pinging = false;
    slot.key.pings--;
  }

  /** A lease was given out: the connection is no longer idle. */
  occupy(slot: Slot<C, K>): void {
    if (slot.state === 'leased') return;
    slot.idle.leave();
    this.#move(slot, 'leased');
    if (this.#hooks.countsReferences) this.#tellReferences('ref', slot);
  }

  /** Nobody uses the connection now. */
  rest(slot: Slot<C, K>): void {
    // A shared connection may have come to rest while its ping was under way.
    if (slot.state === 'idle') return;
    this.#move(slot, 'idle');
    this.idle.push(slot.idle);
    this.sweep.by(this.#owner.idleUntilMs(slot));
    if (this.#hooks.countsReferences) this.#tellReferences('unref', slot);
  }

  #tellReferences(hook: 'ref' | 'unref', slot: Slot<C, K>): void {
    this.#deferred.afterwards(() => this.#hooks[hook](slot.connection as C, slot.key.key));
  }

  /** Gives the connection no more leases, and closes it when it has none. */
  retire(slot: Slot<C, K>, reason: CloseReason, error?: unknown): void {
    if (slot.state === 'closing' || slot.state === 'gone') return;
    slot.error ??= error;
    slot.retireReason ??= reason;
    slot.spare.leave();
    slot.idle.leave();
    this.endPing(slot);
    if (slot.state === 'connecting') return;
    if (slot.leases.length === 0) this.#hangUp(slot, slot.retireReason);
    else this.#setRetiring(slot, true);
  }

  /** The connection is dead: the signals of its leases abort. A dial fails at once. */
  lose(slot: Slot<C, K>, error: unknown, reason: 'lost' | 'invalid' = 'lost'): void {
    if (slot.state === 'closing' || slot.state === 'gone') return;
    slot.error ??= error;
    if (slot.state === 'connecting') {
      const cause = error ?? new Error('the connection was lost while it was being opened');
      this.giveUpDial(slot, 'lost', cause);
      this.#fail(slot, cause);
      return;
    }
    if (slot.retireReason === undefined) slot.retryInMs = this.#owner.onLost(slot, error);
    this.#tellHolders(slot, 'the connection was lost', error);
    this.retire(slot, reason, error);
  }

  /** Ends whatever the slot is doing, leases included. */
  shutDown(slot: Slot<C, K>): void {
    if (slot.state === 'connecting') {
      this.giveUpDial(slot, 'shutdown', new ClosedError('the connection pool'));
      return;
    }
    this.retire(slot, 'shutdown');
    if (slot.state !== 'leased') return;
    this.#tellHolders(slot, 'the connection was closed by force', undefined);
    this.#hangUp(slot, 'shutdown');
  }

  #tellHolders(slot: Slot<C, K>, message: string, cause: unknown): void {
    for (const lease of slot.leases) this.#deferred.afterwards(() => lease.lose(message, cause));
  }

  #hangUp(slot: Slot<C, K>, reason: CloseReason): void {
    slot.interrupt?.(new ClosedError('the connection'));
    slot.interrupt = undefined;
    this.#setRetiring(slot, false);
    const { retryInMs } = slot;
    this.#move(slot, 'closing');
    this.#emit({
      type: 'close',
      key: slot.key.key,
      reason,
      ...(slot.error !== undefined && { error: slot.error }),
      ...(retryInMs !== undefined && { retryInMs }),
      leases: slot.uses,
      livedMs: now() - slot.connectedMs,
    });
    this.#deferred.afterwards(() => this.#callClose(slot, reason));
  }

  #callClose(slot: Slot<C, K>, reason: CloseReason): void {
    const { key } = slot.key;
    withTimeout(() => this.#hooks.close(slot.connection as C, reason), this.#settings.closeTimeoutMs, {
      value: () => this.#deferred.run(() => this.#free(slot)),
      error: (error) =>
        this.#deferred.run(() => {
          this.#emit({ type: 'hookError', key, hook: 'close', error });
          this.#free(slot);
        }),
      timeout: () => this.#deferred.run(() => this.#abandon(slot, 'close')),
    });
  }

  /** Gives the slot back although its connection may live on: a hook that never settles must not cost a slot. */
  #abandon(slot: Slot<C, K>, hook: 'connect' | 'close'): void {
    this.counters.abandoned++;
    this.#emit({ type: 'abandoned', key: slot.key.key, hook });
    this.#free(slot);
  }

  /** Every slot ends here, except after a failed dial, which also reports its failure. */
  #free(slot: Slot<C, K>): void {
    this.#remove(slot);
    this.#owner.onFree(slot);
  }

  #remove(slot: Slot<C, K>): void {
    this.#move(slot, 'gone');
    this.slots.delete(slot);
    slot.onGone();
  }

  #move(slot: Slot<C, K>, to: SlotState): void {
    const from = slot.state;
    this.counts.move(from, to);
    slot.key.counts.move(from, to);
    slot.state = to;
    if (from === 'connecting') this.dials.delete(slot);
    else if (from === 'checking' && slot.suspect) {
      slot.suspect = false;
      slot.key.suspects--;
    }
  }

  #setRetiring(slot: Slot<C, K>, retiring: boolean): void {
    if (slot.retiring === retiring) return;
    slot.retiring = retiring;
    const step = retiring ? 1 : -1;
    this.counts.retiring += step;
    slot.key.counts.retiring += step;
  }

  #emit(event: ConnectionPoolEvent): void {
    if (this.#hooks.listens) this.#deferred.afterwards(() => this.#hooks.emit(event));
  }
}
