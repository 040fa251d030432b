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
 * Cost: one promise and one list entry per waiter, a second promise for one who may time out; joining, leaving and
 *   granting are O(1) however long the queue.
 * Not here: limits, weights' meaning, fairness between queues. Lineage: trio's ParkingLot.
 */
import { type Abortable, type AbortSubscription, onAbort } from './abort-listeners.js';
import { checkDuration, checkObject, checkSignal } from './arguments.js';
import { exposed, tracingChannel } from './channels.js';
import { type Deadline, type Expirable, onDeadline } from './deadlines.js';
import { DeferredError, throwMade } from './deferred-error.js';
import { type WaitDetails, WaitTimeoutError } from './errors.js';
import { type Linked, LinkedList } from './linked-list.js';
import type { WaitOptions } from './vocabulary.js';

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

export class Waiter<T, D> implements Linked<Waiter<T, D>>, Abortable, Expirable {
  previous: Waiter<T, D> | undefined = undefined;
  next: Waiter<T, D> | undefined = undefined;
  list: LinkedList<Waiter<T, D>> | undefined = undefined;
  /** What the caller has said of it: a weight, or what he brings. */
  readonly demand: D;
  readonly #queue: WaitQueue<T, D>;
  readonly #resolve: (value: T) => void;
  readonly #reject: ((reason: unknown) => void) | undefined;
  #abort: AbortSubscription | undefined = undefined;
  #deadline: Deadline | undefined = undefined;

  constructor(
    queue: WaitQueue<T, D>,
    demand: D,
    resolve: (value: T) => void,
    reject?: (reason: unknown) => void,
  ) {
    this.#queue = queue;
    this.demand = demand;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  watch({ signal, waitTimeoutMs }: WaitTerms): void {
    if (signal !== undefined) this.#abort = onAbort(signal, this);
    if (waitTimeoutMs !== Infinity) this.#deadline = onDeadline(waitTimeoutMs, this);
  }

  /** Takes the waiter out of everything it stands in; false when it had left before. */
  leave(): boolean {
    if (!this.list?.remove(this)) return false;
    this.#abort?.cancel();
    this.#deadline?.cancel();
    return true;
  }

  settle(value: T): void {
    this.#resolve(value);
  }

  /** Ends the wait with an error of the package's own. */
  refuse(makeError: () => Error): void {
    // Only a wait that may time out has a last reaction that makes the error where its caller is known.
    this.#reject?.(this.#deadline ? new DeferredError(makeError) : makeError());
  }

  onAbort(reason: unknown): void {
    if (!this.leave()) return;
    this.#reject?.(reason);
    this.#queue.owner.onLeave('aborted');
  }

  onExpire(waitedMs: number): void {
    if (!this.leave()) return;
    const { owner } = this.#queue;
    const details = owner.describe(waitedMs);
    const cause = owner.cause?.();
    this.refuse(() => new WaitTimeoutError(details, cause));
    owner.onLeave('timedOut');
  }
}

export class WaitQueue<T, D = void> {
  readonly owner: QueueOwner;
  readonly #waiters = new LinkedList<Waiter<T, D>>();

  constructor(owner: QueueOwner) {
    this.owner = owner;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** The oldest waiter. */
  get head(): Waiter<T, D> | undefined {
    return this.#waiters.head;
  }

  /** Joins the queue; the promise settles with the grant, or with the reason why there will be none. */
  wait(terms: WaitTerms, demand: D): Promise<T> {
    const { source } = this.owner;
    if (source === undefined || !waits.start.hasSubscribers) return this.#wait(terms, demand);
    return waits.tracePromise(
      () => this.#wait(terms, demand),
      exposed({ source, ...this.owner.describe(0) }),
    );
  }

  #wait(terms: WaitTerms, demand: D): Promise<T> {
    const wait = new Promise<T>((resolve, reject) => {
      const waiter = new Waiter(this, demand, resolve, reject);
      this.#waiters.push(waiter);
      try {
        waiter.watch(terms);
      } catch (error) {
        // A signal that cannot be listened to: this caller leaves, or nobody after him would have his turn.
        waiter.onAbort(error);
      }
    });
    return terms.waitTimeoutMs === Infinity ? wait : wait.then(undefined, throwMade);
  }

  /** Joins the queue with a callback for the grant; the caller himself sees to leaving. */
  join(onGrant: (value: T) => void, demand: D): Waiter<T, D> {
    const waiter = new Waiter(this, demand, onGrant);
    this.#waiters.push(waiter);
    return waiter;
  }

  /** Gives the oldest waiter what it waits for. */
  grant(value: T): void {
    const { head } = this.#waiters;
    if (head?.leave()) head.settle(value);
  }

  /** Ends every wait with an error of its own. */
  refuseAll(makeError: () => Error): void {
    for (let { head } = this.#waiters; head !== undefined; head = this.#waiters.head) {
      head.leave();
      head.refuse(makeError);
    }
  }
}
