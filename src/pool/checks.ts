/**
 * Checks: `validate` and `reset`, bounded in time. A check that settles within a few microtasks makes no timer and no
 * AbortController, because some pools validate at every borrow.
 */
import { timeoutReason } from '../calling/with-timeout.js';
import { type Expirable, onDeadline } from '../waiting/deadlines.js';
import type { Place } from '../waiting/place-queue.js';
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

/** Enough for an async function that awaits a few answers which are known already. */
const microtasksWithoutDeadline = 10;
/** For the next microtask: `queueMicrotask` of Node makes an async resource for each call. */
const settled = Promise.resolve();

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
    if (isChecked(slot)) new Check(slot, hook, this.#state, this).start(this.#controllerFor(slot, hook));
  }

  /** A hook that takes no signal shares one for all checks of a connection: it aborts only when the connection ends. */
  #controllerFor(slot: Slot<C, K>, hook: CheckHook): AbortController {
    if (this.#state.hooks.takesSignal(hook)) return new AbortController();
    slot.checkController ??= new AbortController();
    return slot.checkController;
  }

  onAnswer(slot: Slot<C, K>, hook: CheckHook, answer: unknown): void {
    if (hook === 'reset' || answer) this.#owner.onChecked(slot, hook);
    else this.#invalidate(slot, undefined);
  }

  onError(slot: Slot<C, K>, hook: CheckHook, error: unknown): void {
    const { deferred, hooks } = this.#state;
    const event = { type: 'hookError', key: slot.key.key, hook, error } as const;
    deferred.afterwards(() => hooks.emit(event));
    this.#invalidate(slot, error);
  }

  #invalidate(slot: Slot<C, K>, error: unknown): void {
    this.#lifecycle.lose(slot, error, 'invalid');
    this.#owner.onCheckFailed(slot);
  }
}

/** One check that is under way. Of its answer, its error, its deadline and an interruption, the first counts. */
class Check<C, K> implements Expirable {
  sinceMs = 0;
  readonly #slot: Slot<C, K>;
  readonly #hook: CheckHook;
  readonly #state: PoolState<C, K>;
  readonly #checks: Checks<C, K>;
  #controller: AbortController | undefined;
  #isPending = true;
  #microtasks = 0;
  #deadline: Place<Expirable> | undefined;

  constructor(slot: Slot<C, K>, hook: CheckHook, state: PoolState<C, K>, checks: Checks<C, K>) {
    this.#slot = slot;
    this.#hook = hook;
    this.#state = state;
    this.#checks = checks;
  }

  start(controller: AbortController): void {
    this.#controller = controller;
    this.#slot.interrupt = this.#interrupt;
    this.#state.hooks
      .check(this.#hook, this.#slot.connection as C, controller.signal)
      .then(this.#onAnswer, this.#onError);
    settled.then(this.#limit);
  }

  /** Sets the deadline of a check that did not settle at once. */
  readonly #limit = (): void => {
    if (!this.#isPending) return;
    if (++this.#microtasks < microtasksWithoutDeadline) settled.then(this.#limit);
    else {
      const { validateTimeoutMs } = this.#state.settings;
      if (validateTimeoutMs !== Infinity) this.#deadline = onDeadline(validateTimeoutMs, this);
    }
  };

  readonly #onAnswer = (answer: unknown): void => {
    this.#end(() => this.#checks.onAnswer(this.#slot, this.#hook, answer));
  };

  readonly #onError = (error: unknown): void => {
    this.#end(() => this.#checks.onError(this.#slot, this.#hook, error));
  };

  onExpire(): void {
    const reason = timeoutReason(this.#hook, this.#state.settings.validateTimeoutMs);
    this.#abort(reason);
    this.#onError(reason);
  }

  readonly #interrupt = (reason: unknown): void => {
    this.#settle();
    this.#abort(reason);
  };

  #abort(reason: unknown): void {
    this.#state.deferred.afterwards(() => this.#controller?.abort(reason));
  }

  #end(section: () => void): void {
    if (!this.#isPending) return;
    this.#settle();
    this.#state.deferred.run(() => {
      if (isChecked(this.#slot)) section();
    });
  }

  #settle(): void {
    this.#isPending = false;
    this.#deadline?.leave();
    this.#slot.interrupt = undefined;
  }
}

function isChecked(slot: { readonly state: SlotState; readonly pinging: boolean }): boolean {
  return slot.state === 'checking' || slot.pinging;
}
