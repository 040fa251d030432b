/**
 * Checks: `validate` and `reset`, bounded in time. A check that settles at once makes no timer and no AbortController,
 * because some pools validate at every borrow.
 */
import { timeoutReason, withTimeout } from '../calling/with-timeout.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';
import type { Slot } from './slot.js';
import type { SlotState } from './slot-counts.js';

export type CheckHook = 'validate' | 'reset';

/** Each is called inside a section. */
export interface ChecksOwner<C, K> {
  onChecked(slot: Slot<C, K>, hook: CheckHook): void;
  /** The check failed or timed out; the connection is closed already. */
  onCheckFailed(slot: Slot<C, K>): void;
}

export class Checks<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #owner: ChecksOwner<C, K>;

  constructor(state: PoolState<C, K>, lifecycle: Lifecycle<C, K>, owner: ChecksOwner<C, K>) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#owner = owner;
  }

  /** Checks a connection without leases, or validates one beside its leases. */
  begin(slot: Slot<C, K>, hook: CheckHook): void {
    if (slot.leases.length > 0) this.#lifecycle.beginPing(slot);
    else this.#lifecycle.beginCheck(slot);
    this.#state.deferred.afterwards(() => this.#run(slot, hook));
  }

  #run(slot: Slot<C, K>, hook: CheckHook): void {
    if (!isChecked(slot)) return;
    const { settings, deferred, hooks } = this.#state;
    const controller = this.#controllerFor(slot, hook);
    let isPending = true;
    let stop = () => {};
    const end = (section: () => void) => {
      if (!isPending) return;
      isPending = false;
      stop();
      slot.interrupt = undefined;
      deferred.run(() => {
        if (isChecked(slot)) section();
      });
    };
    slot.interrupt = (reason) => {
      isPending = false;
      stop();
      deferred.afterwards(() => controller.abort(reason));
    };
    const fail = (error: unknown) => {
      const event = { type: 'hookError', key: slot.key.key, hook, error } as const;
      deferred.afterwards(() => hooks.emit(event));
      this.#invalidate(slot, error);
    };
    const check = hooks.check(hook, slot.connection as C, controller.signal).then(
      (answer) =>
        end(() => {
          if (hook === 'reset' || answer) this.#owner.onChecked(slot, hook);
          else this.#invalidate(slot, undefined);
        }),
      (error) => end(() => fail(error)),
    );
    // A check that has settled already ends before this microtask, and needs no deadline.
    queueMicrotask(() => {
      if (!isPending) return;
      const { validateTimeoutMs } = settings;
      const timeout = () => {
        const reason = timeoutReason(hook, validateTimeoutMs);
        deferred.afterwards(() => controller.abort(reason));
        end(() => fail(reason));
      };
      stop = withTimeout(() => check, validateTimeoutMs, { value() {}, error() {}, timeout });
    });
  }

  /** A hook that takes no signal shares one for all checks of a connection: it aborts only when the connection ends. */
  #controllerFor(slot: Slot<C, K>, hook: CheckHook): AbortController {
    if (this.#state.hooks.takesSignal(hook)) return new AbortController();
    slot.checkController ??= new AbortController();
    return slot.checkController;
  }

  #invalidate(slot: Slot<C, K>, error: unknown): void {
    this.#lifecycle.lose(slot, error, 'invalid');
    this.#owner.onCheckFailed(slot);
  }
}

function isChecked(slot: { readonly state: SlotState; readonly pinging: boolean }): boolean {
  return slot.state === 'checking' || slot.pinging;
}
