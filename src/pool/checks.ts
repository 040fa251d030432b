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
    // The last check of the connection is used again: its functions and its controller cost more than the check.
    if (slot.check?.isOver !== true) slot.check = new Check(slot, this.#state, this);
    this.#state.deferred.afterwards(slot.check.prepare(hook));
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

/** The checks of one connection, one at a time. Of its answer, its error, its deadline and an interruption, the first counts. */
export class Check<C, K> implements Expirable {
  sinceMs = 0;
  /** Whether the hook has settled, so that the next check can begin. */
  isOver = false;
  readonly #slot: Slot<C, K>;
  readonly #state: PoolState<C, K>;
  readonly #checks: Checks<C, K>;
  #hook: CheckHook = 'validate';
  /** A hook that takes no signal shares one for all checks of a connection: it aborts only when the connection ends. */
  #controller: AbortController | undefined;
  #isPending = false;
  #microtasks = 0;
  #deadline: Place<Expirable> | undefined;

  constructor(slot: Slot<C, K>, state: PoolState<C, K>, checks: Checks<C, K>) {
    this.#slot = slot;
    this.#state = state;
    this.#checks = checks;
  }

  /** Returns the function that calls the hook. */
  prepare(hook: CheckHook): () => void {
    this.#hook = hook;
    this.isOver = false;
    return this.#start;
  }

  readonly #start = (): void => {
    if (!isChecked(this.#slot)) return;
    const { hooks } = this.#state;
    if (this.#controller === undefined || hooks.takesSignal(this.#hook)) {
      this.#controller = new AbortController();
    }
    this.#slot.interrupt = this.#interrupt;
    this.#isPending = true;
    hooks
      .check(this.#hook, this.#slot.connection as C, this.#controller.signal)
      .then(this.#onAnswer, this.#onError);
    // The count of the last check may still go on.
    if (this.#microtasks === 0) settled.then(this.#limit);
    this.#microtasks = 1;
  };

  /** Sets the deadline of a check that did not settle at once. */
  readonly #limit = (): void => {
    if (!this.#isPending) {
      this.#microtasks = 0;
    } else if (++this.#microtasks > microtasksWithoutDeadline) {
      this.#microtasks = 0;
      const { validateTimeoutMs } = this.#state.settings;
      if (validateTimeoutMs !== Infinity) this.#deadline = onDeadline(validateTimeoutMs, this);
    } else settled.then(this.#limit);
  };

  readonly #onAnswer = (answer: unknown): void => {
    this.isOver = true;
    if (!this.#settle()) return;
    this.#checks.onAnswer(this.#slot, this.#hook, answer);
    this.#state.deferred.end();
  };

  readonly #onError = (error: unknown): void => {
    this.isOver = true;
    this.#fail(error);
  };

  onExpire(): void {
    const reason = timeoutReason(this.#hook, this.#state.settings.validateTimeoutMs);
    this.#abort(reason);
    this.#fail(reason);
  }

  #fail(error: unknown): void {
    if (!this.#settle()) return;
    this.#checks.onError(this.#slot, this.#hook, error);
    this.#state.deferred.end();
  }

  readonly #interrupt = (reason: unknown): void => {
    this.#settle();
    this.#abort(reason);
  };

  #abort(reason: unknown): void {
    const controller = this.#controller;
    this.#state.deferred.afterwards(() => controller?.abort(reason));
  }

  /** Whether the check was still under way, and counts. */
  #settle(): boolean {
    if (!this.#isPending) return false;
    this.#isPending = false;
    this.#deadline?.leave();
    this.#slot.interrupt = undefined;
    return isChecked(this.#slot);
  }
}

function isChecked(slot: { readonly state: SlotState; readonly pinging: boolean }): boolean {
  return slot.state === 'checking' || slot.pinging;
}
