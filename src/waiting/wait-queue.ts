/**
 * WaitQueue: the one place where callers wait. Mutex, semaphore, keyed mutex and pool decide which caller may go on. How a
 * caller queues, gives up and is refused is decided here and nowhere else.
 *
 * Invariants
 *   W1  Order: waiters are granted first come, first served. `KeyedMutex` rests on it: groups of keys cannot deadlock (K4)
 *       only while every key serves its waiters in the order in which they came.
 *   W2  A waiter ends exactly once: granted, aborted, timed out or refused. Ending takes it out of the queue, its
 *       signal's list and its deadline's list in the same synchronous step, so an end that comes later finds nothing.
 *   W3  A wait that was aborted or timed out is reported to the owner, which may now be able to serve the next waiter.
 *   W4  A caller has joined the queue before diagnostics listeners learn of its wait. Listeners may release, close or
 *       change a limit.
 *
 * Hand-over: `grant` settles the head's promise inside the caller's turn. The waiter's own code starts in a later
 *   microtask, in its own async context, never inside another caller's `release()`.
 * Cancel: an abort rejects with `signal.reason` itself, a timeout with a WaitTimeoutError that carries the stack of
 *   the waiting caller. Of a grant and an abort in the same turn, the first counts, and nothing is lost.
 * Cost: one promise and one entry per waiter. A waiter with a timeout has a second promise, and so has a waiter with a
 *   task. Joining, leaving and granting are O(1) however long the queue.
 * Not here: limits, the meaning of weights, fairness between queues. Lineage: trio's ParkingLot.
 */

import type { WaitDetails } from '../contract/errors.js';
import { type ErrorFacts, tracingChannel } from '../runtime/channels.js';
import { watching } from '../runtime/observer.js';
import { throwRevealed } from './deferred-error.js';
import { PlaceQueue } from './place-queue.js';
import { forEver, type WaitSettings } from './wait-settings.js';
import {
  ImpatientWaiter,
  type QueueOwner,
  type Reject,
  type Resolve,
  type Task,
  type Turn,
  Waiter,
} from './waiter.js';

/**
 * On the tracing channel `latchkey:wait`: the counts when a caller began to wait; at the end also `error`, if the wait ended
 * without a grant.
 */
export interface WaitMessage extends WaitDetails {
  /** The lock, semaphore, queue or single flight that the caller waits for. */
  readonly source: object;
  readonly error?: ErrorFacts;
}

const waits = /* @__PURE__ */ tracingChannel<WaitMessage>('latchkey:wait');

/** One executor for all waits: a closure for each of them would be a tenth of the cost of a wait. */
let resolveLast: Resolve<never> | undefined;
let rejectLast: Reject | undefined;

function capture(resolve: Resolve<never>, reject: Reject): void {
  resolveLast = resolve;
  rejectLast = reject;
}

/** The waiters for one thing, the oldest at the head. */
export class WaitQueue<T, D = void> extends PlaceQueue<Waiter<T, D>> {
  readonly owner: QueueOwner;

  constructor(owner: QueueOwner) {
    super();
    this.owner = owner;
  }

  /** Joins the queue; the promise settles with the grant, or rejects with the reason why there is none. */
  wait(settings: WaitSettings, demand: D): Promise<T> {
    const wait = this.#wait(settings, demand, undefined) as Promise<T>;
    return settings.waitTimeoutMs === Infinity ? wait : wait.then(undefined, throwRevealed);
  }

  /**
   * The same for a caller that brings a task: `start` is called in its async context with the task's turn. It is one function
   * for all waiters, because a closure for each of them would double the memory that it takes.
   */
  waitAndStart<R>(
    settings: WaitSettings,
    demand: D,
    task: Task<T, R>,
    start: (turn: Turn<T, R>) => Promise<R>,
  ): Promise<R> {
    return (this.#wait(settings, demand, task) as Promise<Turn<T, R>>).then(start, throwRevealed);
  }

  #wait(settings: WaitSettings, demand: D, task: Task<T> | undefined): Promise<T | Turn<T>> {
    const { source } = this.owner;
    const isTraced = source !== undefined && waits.start.hasSubscribers;
    // Described before it joins, so that it is not counted among the waiters.
    const message = isTraced ? { source, ...this.owner.describe(0) } : undefined;
    const settled = new Promise<T | Turn<T>>(
      capture as (resolve: Resolve<T | Turn<T>>, reject: Reject) => void,
    );
    const resolve = resolveLast as unknown as Resolve<T | Turn<T>>;
    const reject = rejectLast!;
    // They would keep the waiter's queue alive.
    resolveLast = rejectLast = undefined;
    const waiter = this.enter(settings, demand, task, resolve, reject);
    if (waiter.isWaiting) watching.observer?.waits(waiter, this.owner, demand);
    if (message === undefined) return settled;
    return waits.tracePromise(() => settled.then(undefined, throwRevealed), message);
  }

  /** Makes the waiter. A queue of another order makes waiters of another kind. */
  protected enter(
    settings: WaitSettings,
    demand: D,
    task: Task<T> | undefined,
    resolve: Resolve<T | Turn<T>>,
    reject: Reject,
  ): Waiter<T, D> {
    return settings === forEver
      ? new Waiter(this, demand, task, resolve)
      : new ImpatientWaiter(this, this.owner, demand, task, resolve, reject, settings);
  }

  /** The waiter to serve next: the oldest, unless the queue has another order. */
  get first(): Waiter<T, D> | undefined {
    return this.head;
  }

  /** Joins with a callback for the grant instead of a promise. The caller must remove the entry itself. */
  join(onGrant: (value: T) => void, demand: D): Waiter<T, D> {
    return new Waiter(this, demand, undefined, onGrant as Resolve<T | Turn<T>>);
  }

  /** Grants the oldest waiter, if there is one. */
  grant(value: T): void {
    this.head?.grant(value);
  }

  /** Ends every wait; `makeError` is called for each of them. */
  refuseAll(makeError: () => unknown): void {
    while (this.head !== undefined) this.head.refuse(makeError);
  }
}
