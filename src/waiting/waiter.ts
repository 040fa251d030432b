/**
 * Waiter: one caller in a WaitQueue, and the four ways in which its wait ends: granted, aborted, timed out, refused (W2).
 */
import { type WaitDetails, WaitTimeoutError } from '../contract/errors.js';
import type { Awaitable } from '../contract/types.js';
import { watching } from '../runtime/observer.js';
import { type Abortable, onAbort } from './abort-listeners.js';
import { type Expirable, onDeadline } from './deadlines.js';
import { DeferredError } from './deferred-error.js';
import type { Link } from './linked-list.js';
import { leavePlace, type Place, type Placed, type PlaceQueue } from './place-queue.js';
import type { WaitSettings } from './wait-settings.js';

/** The object that owns a queue. */
export interface QueueOwner {
  /** The object the caller waits on, published as `source`. Waits of an owner without one are not published. */
  readonly source?: object;
  /** The counts, for errors and messages. */
  describe(waitedMs: number): WaitDetails;
  /** A waiter has left the queue without a grant. */
  onLeave(why: 'aborted' | 'timedOut'): void;
  /** An order has refused a waiter. It may be asking for the next one, which must not be granted inside of this call. */
  onRefuse?(): void;
  /** A newcomer has made an order refuse waiters or call user code: the next waiter may now be served. */
  serveNext?(): void;
  /** The likely reason why a wait timed out, for its error. */
  cause?(): ErrorOptions | undefined;
}

/** Called with the grant. */
export type Task<T, R = unknown> = (granted: T) => Awaitable<R>;

/** A task whose turn has come. */
export interface Turn<T, R = unknown> {
  readonly task: Task<T, R>;
  readonly granted: T;
}

export type Resolve<G> = (granted: G | Promise<never>) => void;
export type Reject = (reason: unknown) => void;

/**
 * Most waiters have no signal and no timeout. To keep entries small, the fields for those live in `ImpatientWaiter`.
 */
export class Waiter<T, D> implements Placed<Waiter<T, D>> {
  block: Placed<Waiter<T, D>>['block'] = undefined;
  place = 0;
  /** What the caller asks for: a weight, or an item. */
  readonly demand: D;
  readonly task: Task<T> | undefined;
  readonly #resolve: Resolve<T | Turn<T>>;

  /** Joins the queue. */
  constructor(
    queue: PlaceQueue<Waiter<T, D>>,
    demand: D,
    task: Task<T> | undefined,
    resolve: Resolve<T | Turn<T>>,
  ) {
    this.demand = demand;
    this.task = task;
    this.#resolve = resolve;
    queue.push(this);
  }

  /** Whether its wait has not ended. */
  get isWaiting(): boolean {
    return this.block !== undefined;
  }

  /** Takes the waiter out of every list it is in; false when it had left before. */
  leave(): boolean {
    watching.observer?.left(this);
    return leavePlace(this);
  }

  /** Whether it has a signal or a timeout. */
  get canGiveUp(): boolean {
    return false;
  }

  grant(value: T): void {
    watching.observer?.passed(value, this);
    this.leave();
    const { task } = this;
    this.#resolve(task === undefined ? value : { task, granted: value });
  }

  /** Ends the wait with the error that `makeError` makes. */
  refuse(makeError: () => unknown): void {
    this.leave();
    this.#resolve(Promise.reject(makeError()));
  }
}

/** A waiter with a signal or a timeout. */
export class ImpatientWaiter<T, D> extends Waiter<T, D> implements Abortable, Expirable {
  readonly #owner: QueueOwner;
  readonly #reject: Reject;
  #abort: Link<Abortable> | undefined = undefined;
  #deadline: Place<Expirable> | undefined = undefined;
  sinceMs = 0;

  constructor(
    queue: PlaceQueue<Waiter<T, D>>,
    owner: QueueOwner,
    demand: D,
    task: Task<T> | undefined,
    resolve: Resolve<T | Turn<T>>,
    reject: Reject,
    { signal, waitTimeoutMs }: WaitSettings,
  ) {
    super(queue, demand, task, resolve);
    this.#owner = owner;
    this.#reject = reject;
    try {
      if (signal !== undefined) this.#abort = onAbort(signal, this);
      if (waitTimeoutMs !== Infinity) this.#deadline = onDeadline(waitTimeoutMs, this);
    } catch (error) {
      // A signal that refuses our listener: this caller leaves, so that the callers behind it get their turn.
      this.onAbort(error);
    }
  }

  override get canGiveUp(): boolean {
    return true;
  }

  override leave(): boolean {
    if (!super.leave()) return false;
    this.#abort?.leave();
    this.#deadline?.leave();
    return true;
  }

  override refuse(makeError: () => unknown): void {
    this.leave();
    // Only a wait with a timeout has the last reaction that makes the error with its caller's stack.
    this.#reject(this.#deadline ? new DeferredError(makeError) : makeError());
  }

  onAbort(reason: unknown): void {
    if (!this.leave()) return;
    this.#reject(reason);
    this.#owner.onLeave('aborted');
  }

  onExpire(waitedMs: number): void {
    if (!this.leave()) return;
    const details = this.#owner.describe(waitedMs);
    const cause = this.#owner.cause?.();
    this.refuse(() => new WaitTimeoutError(details, cause));
    this.#owner.onLeave('timedOut');
  }
}
