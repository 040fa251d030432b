/**
 * OrderedQueue: a WaitQueue whose waiters are served in another order than that of their arrival. How a wait ends is decided
 * by the same code; a `WaitLine` decides who is next and who is refused.
 */
import { QueueFullError } from '../contract/errors.js';
import { now } from '../runtime/clock.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import type { WaitSettings } from '../waiting/wait-settings.js';
import {
  ImpatientWaiter,
  type QueueOwner,
  type Reject,
  type Resolve,
  type Task,
  type Turn,
  type Waiter,
} from '../waiting/waiter.js';
import type { OrderedWaiter, WaitLine } from './wait-line.js';

export class OrderedQueue<T, D> extends WaitQueue<T, D> {
  readonly line: WaitLine;

  constructor(owner: QueueOwner, line: WaitLine) {
    super(owner);
    this.line = line;
  }

  override get first(): Waiter<T, D> | undefined {
    return this.line.next(now()) as PlacedWaiter<T, D> | undefined;
  }

  protected override enter(
    settings: WaitSettings,
    demand: D,
    task: Task<T> | undefined,
    resolve: Resolve<T | Turn<T>>,
    reject: Reject,
  ): Waiter<T, D> {
    const { size } = this;
    const waiter = new PlacedWaiter(this, demand, task, resolve, reject, settings);
    // The line has refused others, or user code has run: the next one may fit now.
    if (this.size <= size || waiter.wasAskedAbout) this.owner.serveNext?.();
    return waiter;
  }
}

class PlacedWaiter<T, D> extends ImpatientWaiter<T, D> implements OrderedWaiter {
  readonly partition: unknown;
  readonly #queue: OrderedQueue<T, D>;
  #isPlaced = false;
  #isGranted = false;
  #wasAskedAbout = false;

  constructor(
    queue: OrderedQueue<T, D>,
    demand: D,
    task: Task<T> | undefined,
    resolve: Resolve<T | Turn<T>>,
    reject: Reject,
    settings: WaitSettings,
  ) {
    super(queue, queue.owner, demand, task, resolve, reject, settings);
    this.#queue = queue;
    this.partition = settings.partition;
    this.sinceMs = now();
    // A signal that refuses our listener has ended the wait already.
    if (!this.isWaiting) return;
    try {
      this.#wasAskedAbout = queue.line.add(this, this.sinceMs);
      this.#isPlaced = true;
    } catch (error) {
      this.onAbort(error);
    }
    // User code has ended the wait before the line knew the waiter.
    if (this.#isPlaced && !this.isWaiting) queue.line.remove(this, false);
  }

  /** Whether the line called user code to place it. */
  get wasAskedAbout(): boolean {
    return this.#wasAskedAbout;
  }

  /** Where units are not counted, each waiter wants one. */
  get weight(): number {
    return typeof this.demand === 'number' ? this.demand : 1;
  }

  override leave(): boolean {
    if (!super.leave()) return false;
    // Called by the constructor of the base class, too, when there are no fields yet.
    if (#isPlaced in this && this.#isPlaced) this.#queue.line.remove(this, this.#isGranted);
    return true;
  }

  override grant(value: T): void {
    this.#isGranted = true;
    super.grant(value);
  }

  sendAway(retryAfterMs: number): void {
    if (!this.isWaiting) return;
    const { owner } = this.#queue;
    const waitedMs = now() - this.sinceMs;
    this.refuse(() => new QueueFullError(owner.describe(waitedMs), retryAfterMs));
    owner.onRefuse?.();
  }
}
