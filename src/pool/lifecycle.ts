/**
 * How a connection works, rests and ends. Every slot ends here: whatever happens to a connection, its slot comes back
 * once, after its close has ended or taken too long. dialler.ts knows how a connection comes, checks.ts how it is
 * checked, matching.ts who gets it.
 */
import { withTimeout } from '../calling/with-timeout.js';
import { ClosedError } from '../contract/errors.js';
import { now } from '../runtime/clock.js';
import type { CloseReason } from './connector.js';
import type { Hooks } from './hooks.js';
import type { PoolState } from './pool-state.js';
import type { Slot } from './slot.js';

/** Each is called inside a section. */
export interface LifecycleOwner<C, K> {
  onDialFailed(slot: Slot<C, K>, error: unknown): void;
  /** A connection was lost; returns the backoff in milliseconds that this caused, if any. */
  onLost(slot: Slot<C, K>, error: unknown): number | undefined;
  onFree(slot: Slot<C, K>): void;
}

export class Lifecycle<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #hooks: Hooks<C, K>;
  readonly #owner: LifecycleOwner<C, K>;

  constructor(state: PoolState<C, K>, owner: LifecycleOwner<C, K>) {
    this.#state = state;
    this.#hooks = state.hooks;
    this.#owner = owner;
  }

  /** The connection is checked; no caller can have it until the check has ended. */
  beginCheck(slot: Slot<C, K>): void {
    this.#state.move(slot, 'checking');
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
    this.#state.lend(slot);
    if (slot.countsReferences) this.#callReference('ref', slot);
  }

  /** The last lease has ended: the connection is idle. */
  rest(slot: Slot<C, K>): void {
    // A shared connection may have come to rest while its ping was under way.
    if (slot.state === 'idle') return;
    this.#state.rest(slot);
    this.#state.idle.push(slot.idle);
    if (slot.countsReferences) this.#callReference('unref', slot);
  }

  #callReference(hook: 'ref' | 'unref', slot: Slot<C, K>): void {
    this.#state.deferred.afterwards(() => this.#hooks[hook](slot.connection as C, slot.key.key));
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
    else this.#state.setRetiring(slot, true);
  }

  /** The connection is dead: the signals of its leases abort. A dial fails at once. */
  lose(slot: Slot<C, K>, error: unknown, reason: 'lost' | 'invalid' = 'lost'): void {
    if (slot.state === 'closing' || slot.state === 'gone') return;
    slot.error ??= error;
    if (slot.state === 'connecting') {
      const cause = error ?? new Error('the connection was lost while it was being opened');
      this.giveUpDial(slot, 'lost', cause);
      this.failDial(slot, cause);
      return;
    }
    if (slot.retireReason === undefined) slot.retryInMs = this.#owner.onLost(slot, error);
    this.#abortLeases(slot, 'the connection was lost', error);
    this.retire(slot, reason, error);
  }

  failDial(slot: Slot<C, K>, error: unknown): void {
    this.#state.counters.connectFailed++;
    this.#owner.onDialFailed(slot, error);
  }

  /** Ends a dial that is not needed any more. Its slot counts until the hook has settled. */
  giveUpDial(slot: Slot<C, K>, reason: CloseReason, error: unknown): void {
    slot.retireReason ??= reason;
    if (slot.interrupt === undefined) this.free(slot);
    else slot.interrupt(error);
  }

  /** Ends whatever the slot is doing, leases included. */
  shutDown(slot: Slot<C, K>): void {
    if (slot.state === 'connecting') {
      this.giveUpDial(slot, 'shutdown', new ClosedError('the connection pool'));
      return;
    }
    this.retire(slot, 'shutdown');
    if (slot.state !== 'leased') return;
    this.#abortLeases(slot, 'the connection was closed by force', undefined);
    this.#hangUp(slot, 'shutdown');
  }

  #abortLeases(slot: Slot<C, K>, message: string, cause: unknown): void {
    for (const lease of slot.leases) this.#state.deferred.afterwards(() => lease.lose(message, cause));
  }

  #hangUp(slot: Slot<C, K>, reason: CloseReason): void {
    slot.interrupt?.(new ClosedError('the connection'));
    slot.interrupt = undefined;
    this.#state.setRetiring(slot, false);
    const { retryInMs } = slot;
    this.#state.move(slot, 'closing');
    this.#state.emit({
      type: 'close',
      key: slot.key.key,
      reason,
      ...(slot.error !== undefined && { error: slot.error }),
      ...(retryInMs !== undefined && { retryInMs }),
      leases: slot.uses,
      livedMs: now() - slot.connectedMs,
    });
    this.#state.deferred.afterwards(() => this.closeConnection(slot, reason));
  }

  /** Calls the hook, for a slot that is `closing`. */
  closeConnection(slot: Slot<C, K>, reason: CloseReason): void {
    const { settings, deferred } = this.#state;
    const { key } = slot.key;
    withTimeout(() => this.#hooks.close(slot.connection as C, reason), settings.closeTimeoutMs, {
      value: () => deferred.run(() => this.free(slot)),
      error: (error) =>
        deferred.run(() => {
          this.#state.emit({ type: 'hookError', key, hook: 'close', error });
          this.free(slot);
        }),
      timeout: () => deferred.run(() => this.abandon(slot, 'close')),
    });
  }

  /** Gives the slot back although its connection may live on: a hook that never settles must not cost a slot. */
  abandon(slot: Slot<C, K>, hook: 'connect' | 'close'): void {
    this.#state.counters.abandoned++;
    this.#state.emit({ type: 'abandoned', key: slot.key.key, hook });
    this.free(slot);
  }

  /** Every slot ends here, except after a failed dial, which also reports its failure. */
  free(slot: Slot<C, K>): void {
    this.#state.remove(slot);
    this.#owner.onFree(slot);
  }
}
