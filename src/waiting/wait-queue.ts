/**
 * WaitQueue: the one place where callers wait. Mutex, semaphore, keyed mutex and pool decide who may go on; how a
 * caller queues, gives up and is told, is decided here and nowhere else.
 *
 * Invariants
 *   W1  Order: waiters are granted first come, first served.
 *   W2  A waiter ends exactly once: granted, aborted, timed out or refused. Ending takes it out of the queue, its
 *       signal's list and its deadline's list in the same synchronous step, so an end that comes later finds nothing.
 *   W3  A wait that ends without a grant tells the owner, who may now be able to serve the next one.
 *
 * Hand-over: `grant` settles the head's promise inside the caller's turn; the waiter's own code starts in a later
 *   microtask, in its own async context, never inside somebody's `release()`.
 * Cancel: an abort rejects with `signal.reason` itself; a timeout with a WaitTimeoutError that carries the stack of
 *   whoever awaits it. A grant and an abort in the same turn: whichever came first counts, and nothing is lost.
 * Cost: one promise and one list entry per waiter, a second promise for one who may time out and for one who brings a
 *   task; joining, leaving and granting are O(1) however long the queue.
 * Not here: limits, weights' meaning, fairness between queues. Lineage: trio's ParkingLot.
 */

import type { WaitDetails } from '../contract/errors.js';
import { exposed, tracingChannel } from '../runtime/channels.js';
import { observer } from '../runtime/observer.js';
import { throwRevealed } from './deferred-error.js';
import { LinkedList } from './linked-list.js';
import { forEver, type WaitSettings } from './wait-settings.js';
import { ImpatientWaiter, type QueueOwner, type Resolve, type Task, type Turn, Waiter } from './waiter.js';

/** On the tracing channel `latchkey:wait`: how things stood when a caller began to wait, and what came of it. */
export interface WaitMessage extends WaitDetails {
  readonly source: object;
  readonly result?: unknown;
  readonly error?: unknown;
}

const waits = tracingChannel<WaitMessage>('latchkey:wait');

/** Those who wait for the same, the oldest at the head. */
export class WaitQueue<T, D = void> extends LinkedList<Waiter<T, D>> {
  readonly owner: QueueOwner;

  constructor(owner: QueueOwner) {
    super();
    this.owner = owner;
  }

  /** Joins the queue; the promise settles with the grant, or with the reason why there will be none. */
  wait(settings: WaitSettings, demand: D): Promise<T>;
  /**
   * With a task, the grant is the task's turn, and one function for all who wait can start it: a closure for each of them
   * would double what they take in memory.
   */
  wait<R>(settings: WaitSettings, demand: D, task: Task<T, R>): Promise<Turn<T, R>>;
  wait(settings: WaitSettings, demand: D, task?: Task<T>): Promise<T | Turn<T>> {
    const join = () => {
      const wait = new Promise<T | Turn<T>>((resolve, reject) => {
        const waiter =
          settings === forEver
            ? new Waiter(this, demand, task, resolve)
            : new ImpatientWaiter(this, this.owner, demand, task, resolve, reject, settings);
        if (waiter.list !== undefined) observer?.waits(waiter, this.owner, demand);
      });
      return settings.waitTimeoutMs === Infinity ? wait : wait.then(undefined, throwRevealed);
    };
    const { source } = this.owner;
    if (source === undefined || !waits.start.hasSubscribers) return join();
    return waits.tracePromise(join, exposed({ source, ...this.owner.describe(0) }));
  }

  /** Joins a queue that refuses nobody, with a callback for the grant; the caller himself sees to leaving. */
  join(onGrant: (value: T) => void, demand: D): Waiter<T, D> {
    return new Waiter(this, demand, undefined, onGrant as Resolve<T | Turn<T>>);
  }

  /** Gives the oldest waiter what it waits for. */
  grant(value: T): void {
    this.head?.grant(value);
  }

  /** Ends every wait with an error of its own. */
  refuseAll(makeError: () => Error): void {
    while (this.head !== undefined) this.head.refuse(makeError);
  }
}
