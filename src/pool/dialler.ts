/**
 * Dials: from the reservation of a slot to the arrival of its connection, and the end of a dial that was given up.
 * A dial belongs to the key. No caller's abort reaches it.
 */
import { timeoutReason, withTimeout } from '../calling/with-timeout.js';
import { checkCount } from '../contract/arguments.js';
import { now } from '../runtime/clock.js';
import type { ConnectContext } from './connector.js';
import type { KeyState } from './key-state.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';
import { Slot } from './slot.js';

const lifetimeJitter = 0.1;
/** How long a starving key waits for the slot of a dial that ignores its signal. */
const takenDialMs = 1_000;

/** Each is called inside a section. */
export interface DialOwner<C, K> {
  onConnected(slot: Slot<C, K>): void;
  /** The connection may have more leases, or fewer, than before. */
  onCapacity(slot: Slot<C, K>): void;
  /** The connection takes no new leases: waiters may have counted on its check. */
  onWithdrawn(slot: Slot<C, K>): void;
}

export class Dialler<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #owner: DialOwner<C, K>;

  constructor(state: PoolState<C, K>, lifecycle: Lifecycle<C, K>, owner: DialOwner<C, K>) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#owner = owner;
  }

  /** Takes a slot, in this section, and dials when it has ended. */
  dial(key: KeyState<C, K>): void {
    const slot = new Slot(key, now(), this.#state.settings.leasesPerConnection);
    this.#state.add(slot);
    key.server.onDial(slot.bornMs, key.counts.connecting);
    this.#state.deferred.afterwards(() => this.#connect(slot));
  }

  #connect(slot: Slot<C, K>): void {
    if (slot.state !== 'connecting') return;
    const { settings, deferred, hooks } = this.#state;
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
      lost: (error) =>
        deferred.run(() => {
          this.#lifecycle.lose(slot, error);
          this.#owner.onWithdrawn(slot);
        }),
      drain: () =>
        deferred.run(() => {
          this.#lifecycle.retire(slot, 'lost');
          this.#owner.onWithdrawn(slot);
        }),
      capacity: (leases) => {
        checkCount('leases', leases);
        deferred.run(() => this.#setCapacity(slot, leases));
      },
    };
    let stop = () => {};
    slot.interrupt = (reason) => {
      stop();
      this.#state.move(slot, 'closing');
      deferred.afterwards(() => {
        controller().abort(reason);
        this.#awaitGivenUp(slot, dial);
      });
    };
    const dial = hooks.connect(slot.key.key, context);
    // The hook itself may have closed or reset the pool, or said that the connection is lost.
    if (slot.state !== 'connecting') return;
    const { connectTimeoutMs } = settings;
    stop = withTimeout(() => dial, connectTimeoutMs, {
      value: (connection) => deferred.run(() => this.#arrive(slot, connection)),
      error: (error) =>
        deferred.run(() => {
          this.#state.remove(slot);
          this.#lifecycle.failDial(slot, error);
        }),
      timeout: () =>
        deferred.run(() => {
          const reason = timeoutReason('connect', connectTimeoutMs);
          this.#lifecycle.giveUpDial(slot, 'error', reason);
          this.#lifecycle.failDial(slot, reason);
        }),
    });
  }

  #arrive(slot: Slot<C, K>, connection: C): void {
    const nowMs = now();
    const lifetimeMs = this.#state.settings.maxLifetimeMs * (1 - Math.random() * lifetimeJitter);
    slot.expiresMs = nowMs + lifetimeMs;
    slot.connectedMs = slot.idleSinceMs = slot.provenMs = nowMs;
    slot.connection = connection;
    slot.countsReferences = this.#state.hooks.countsReferences(connection);
    slot.interrupt = undefined;
    this.#state.move(slot, 'checking');
    this.#state.counters.connected++;
    this.#state.emit({ type: 'connect', key: slot.key.key, durationMs: nowMs - slot.bornMs });
    this.#owner.onConnected(slot);
  }

  /**
   * A dial that was given up keeps its slot until it settles, because the server may count it, `closeTimeoutMs` at most.
   * Its `connect` was not reported, so its close is not reported either.
   */
  #awaitGivenUp(slot: Slot<C, K>, dial: Promise<C>): void {
    const { settings, deferred, hooks } = this.#state;
    const { closeTimeoutMs } = settings;
    const reason = slot.retireReason ?? 'error';
    const timeoutMs = reason === 'evicted' ? Math.min(closeTimeoutMs, takenDialMs) : closeTimeoutMs;
    withTimeout(() => dial, timeoutMs, {
      value: (connection) => {
        slot.connection = connection;
        this.#lifecycle.closeConnection(slot, reason);
      },
      error: () => deferred.run(() => this.#lifecycle.free(slot)),
      timeout: () => deferred.run(() => this.#lifecycle.abandon(slot, 'connect')),
      lateValue: (connection) => {
        hooks.close(connection, reason).catch(() => {});
      },
    });
  }

  #setCapacity(slot: Slot<C, K>, leases: number): void {
    slot.capacity = Math.min(leases, this.#state.settings.leasesPerConnection);
    if (!slot.hasRoom) slot.spare.leave();
    if (slot.connection !== undefined) this.#owner.onCapacity(slot);
  }
}
