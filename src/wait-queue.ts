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
import { type Abortable, onAbort } from './abort-listeners.js';
import { checkDuration, checkObject, checkSignal } from './arguments.js';
import { exposed, tracingChannel } from './channels.js';
import { type Expirable, onDeadline } from './deadlines.js';
import { DeferredError, throwMade } from './deferred-error.js';
import { type WaitDetails, WaitTimeoutError } from './errors.js';
import { type Linked, LinkedList, leave, type Place } from './linked-list.js';
import type { Awaitable, WaitOptions } from './vocabulary.js';

/** A caller's WaitOptions, read once and checked. */
export interface WaitTerms {
  readonly signal: AbortSignal | undefined;
  readonly waitTimeoutMs: number;
}

const forEver: WaitTerms = { signal: undefined, waitTimeoutMs: Infinity };

/**
 * Reads and checks what a caller asks for.
 * @throws TypeError or RangeError for bad options; `signal.reason` when the signal is aborted already.
 */
export function waitTerms(options: WaitOptions | undefined, defaults: WaitTerms = forEver): WaitTerms {
  if (options === undefined) return defaults;
  checkObject('options', options);
  const { signal, waitTimeoutMs = defaults.waitTimeoutMs } = options;
  checkDuration('waitTimeoutMs', waitTimeoutMs);
  if (signal !== undefined) {
    checkSignal('signal', signal);
    if (signal.aborted) throw signal.reason;
  }
  return { signal, waitTimeoutMs };
}

/** What is waited for. */
export interface QueueOwner {
  /** What a user would say is waited for: stands in messages. Waits of an owner without one are not told of. */
  readonly source?: object;
  /** How things stand, for the error of a wait that timed out. */
  describe(waitedMs: number): WaitDetails;
  /** A waiter left without a grant. */
  onLeave(why: 'aborted' | 'timedOut'): void;
  /** What is known to be in the way, for the error of a wait that timed out. */
  cause?(): ErrorOptions | undefined;
}

/** On the tracing channel `latchkey:wait`: how things stood when a caller began to wait, and what came of it. */
export interface WaitMessage extends WaitDetails {
  readonly source: object;
  readonly result?: unknown;
  readonly error?: unknown;
}

const waits = tracingChannel<WaitMessage>('latchkey:wait');

/** What to do with what was granted. */
type Task<T, R = unknown> = (granted: T) => Awaitable<R>;

/** A task whose turn has come. */
export interface Turn<T, R = unknown> {
  readonly task: Task<T, R>;
  readonly granted: T;
}

type Resolve<G> = (granted: G | Promise<never>) => void;
type Reject = (reason: unknown) => void;

/** Most wait for as long as it takes, and a queue is as large as its waiters: what only others need is not in here. */
export class Waiter<T, D> implements Linked<Waiter<T, D>> {
  previous: Waiter<T, D> | undefined = undefined;
  next: Waiter<T, D> | undefined = undefined;
  list: LinkedList<Waiter<T, D>> | undefined = undefined;
  /** What the caller has said of it: a weight, or what he brings. */
  readonly demand: D;
  readonly task: Task<T> | undefined;
  readonly #resolve: Resolve<T | Turn<T>>;

  /** Joins the queue. */
  constructor(queue: WaitQueue<T, D>, demand: D, task: Task<T> | undefined, resolve: Resolve<T | Turn<T>>) {
    this.demand = demand;
    this.task = task;
    this.#resolve = resolve;
    queue.push(this);
  }

  /** Takes the waiter out of everything it stands in; false when it had left before. */
  leave(): boolean {
    return leave(this);
  }

  grant(value: T): void {
    this.leave();
    const { task } = this;
    this.#resolve(task === undefined ? value : { task, granted: value });
  }

  /** Ends the wait with an error of the package's own. */
  refuse(makeError: () => Error): void {
    this.leave();
    this.#resolve(Promise.reject(makeError()));
  }
}

/** One who may give up before his turn. */
class ImpatientWaiter<T, D> extends Waiter<T, D> implements Abortable, Expirable {
  readonly #owner: QueueOwner;
  readonly #reject: Reject;
  #abort: Place<Abortable> | undefined = undefined;
  #deadline: Place<Expirable> | undefined = undefined;
  sinceMs = 0;

  constructor(
    queue: WaitQueue<T, D>,
    demand: D,
    task: Task<T> | undefined,
    resolve: Resolve<T | Turn<T>>,
    reject: Reject,
    { signal, waitTimeoutMs }: WaitTerms,
  ) {
    super(queue, demand, task, resolve);
    this.#owner = queue.owner;
    this.#reject = reject;
    try {
      if (signal !== undefined) this.#abort = onAbort(signal, this);
      if (waitTimeoutMs !== Infinity) this.#deadline = onDeadline(waitTimeoutMs, this);
    } catch (error) {
      // A signal that cannot be listened to: this caller leaves, or nobody after him would have his turn.
      this.onAbort(error);
    }
  }

  override leave(): boolean {
    if (!leave(this)) return false;
    this.#abort?.leave();
    this.#deadline?.leave();
    return true;
  }

  override refuse(makeError: () => Error): void {
    this.leave();
    // Only a wait that may time out has a last reaction that makes the error where its caller is known.
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

/** Those who wait for the same, the oldest at the head. */
export class WaitQueue<T, D = void> extends LinkedList<Waiter<T, D>> {
  readonly owner: QueueOwner;

  constructor(owner: QueueOwner) {
    super();
    this.owner = owner;
  }

  /** Joins the queue; the promise settles with the grant, or with the reason why there will be none. */
  wait(terms: WaitTerms, demand: D): Promise<T>;
  /**
   * With a task, the grant is the task's turn, and one function for all who wait can start it: a closure for each of them
   * would double what they take in memory.
   */
  wait<R>(terms: WaitTerms, demand: D, task: Task<T, R>): Promise<Turn<T, R>>;
  wait(terms: WaitTerms, demand: D, task?: Task<T>): Promise<T | Turn<T>> {
    const join = () => {
      const wait = new Promise<T | Turn<T>>((resolve, reject) => {
        if (terms === forEver) new Waiter(this, demand, task, resolve);
        else new ImpatientWaiter(this, demand, task, resolve, reject, terms);
      });
      return terms.waitTimeoutMs === Infinity ? wait : wait.then(undefined, throwMade);
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
