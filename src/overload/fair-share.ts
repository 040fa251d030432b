/**
 * fairShare: waiters name a partition (a tenant, 'batch'), and partitions that have waiters are served in proportion to their
 * shares.
 *
 * Invariants
 *   FS1  While several partitions have waiters, each is granted units in proportion to its share.
 *   FS2  The other partitions use a share that is not used: no unit stays free while a caller waits.
 *   FS3  No partition starves: each partition with waiters is served in every round.
 *   FS4  A partition without waiters takes no memory.
 *
 * Hand-over, Cancel: those of the queue that it orders.
 * Cost: O(1) per waiter, for any number of partitions.
 * What it is not: a limit per partition. A partition alone may hold all units until others come.
 * Lineage: deficit round robin (Shreedhar and Varghese 1996).
 */
import { decide } from '../calling/listeners.js';
import {
  checkFunction,
  checkNumber,
  checkObject,
  checkOptions,
  type OptionNames,
} from '../contract/arguments.js';
import { AsyncContext } from '../runtime/async-context.js';
import { Link, LinkedList } from '../waiting/linked-list.js';
import type { WaitOrder } from '../waiting/wait-order.js';
import { LineOrder } from './line-order.js';
import { oldestFirst } from './oldest-first.js';
import type { OrderedWaiter, WaitLine } from './wait-line.js';

export interface FairShareOptions {
  /**
   * The share of a partition: a positive, finite number. Only ratios count. It is called when a partition gets its first
   * waiter, with the caller's `partition`, which is `undefined` if the caller names none. If it throws or returns something
   * else, the caller's wait rejects. Default: every partition has the same share.
   */
  share?: ((partition: unknown) => number) | undefined;
  /** The order of the waiters inside a partition. Default: first come, first served. */
  within?: WaitOrder | undefined;
}

const optionNames: OptionNames<FairShareOptions> = { share: true, within: true };

/**
 * An order for the queue of a semaphore that divides it fairly between partitions. A caller names its partition in the
 * options of the wait.
 *
 * @throws TypeError that names the option and the value.
 * @example
 * ```ts
 * import { Semaphore } from 'latchkey';
 * import { fairShare } from 'latchkey/overload';
 *
 * const order = fairShare({ share: (partition) => (partition === 'batch' ? 1 : 9) });
 * const database = new Semaphore(1, { order });
 * const served: string[] = [];
 * const run = (partition: string) => database.run(async () => served.push(partition), { partition });
 * await Promise.all(['batch', 'batch', 'batch', 'user'].map(run));
 * console.log(served.join(' ')); // → batch batch user batch
 * ```
 */
export function fairShare(options: FairShareOptions = {}): WaitOrder {
  checkOptions(options, optionNames);
  const { share, within = oldestFirst } = options;
  if (share !== undefined) checkFunction('share', share);
  checkObject('within', within);
  if (!(within instanceof LineOrder)) {
    throw new TypeError(
      'within must be an order of latchkey/overload, such as controlledDelay(), got an object',
    );
  }
  const context = new AsyncContext();
  const shareOf = (partition: unknown) =>
    share === undefined ? 1 : checkedShare(decide(context, 'share', share, partition));
  return new LineOrder(() => new FairShare(shareOf, within));
}

function checkedShare(share: number): number {
  checkNumber('share', share);
  if (!(share > 0 && share < Infinity)) {
    throw new RangeError(`share must return a positive, finite number, got ${share}`);
  }
  return share;
}

/** The waiters of one partition. */
class Partition {
  readonly key: unknown;
  readonly share: number;
  readonly line: WaitLine;
  /** Its place among the partitions that have waiters. */
  readonly turn = new Link<Partition>(this);
  waiting = 0;
  /** How many more units it may be granted in this turn. */
  deficit = 0;

  constructor(key: unknown, share: number, line: WaitLine) {
    this.key = key;
    this.share = share;
    this.line = line;
  }
}

class FairShare implements WaitLine {
  readonly #shareOf: (partition: unknown) => number;
  readonly #within: LineOrder;
  readonly #partitions = new Map<unknown, Partition>();
  /** The partitions that have waiters. The head has its turn. */
  readonly #turns = new LinkedList<Link<Partition>>();
  #turnOf: Partition | undefined;
  /** The extremes since the queue was last empty. In a turn, the smallest share may be granted the largest weight. */
  #smallestShare = Infinity;
  #largestWeight = 1;

  constructor(shareOf: (partition: unknown) => number, within: LineOrder) {
    this.#shareOf = shareOf;
    this.#within = within;
  }

  add(waiter: OrderedWaiter, nowMs: number): boolean {
    const known = this.#partitions.get(waiter.partition);
    const partition = known ?? this.#open(waiter.partition);
    this.#largestWeight = Math.max(this.#largestWeight, waiter.weight);
    partition.waiting++;
    partition.line.add(waiter, nowMs);
    return known === undefined;
  }

  remove(waiter: OrderedWaiter, isGranted: boolean): void {
    const partition = this.#partitions.get(waiter.partition);
    if (partition === undefined) return;
    partition.line.remove(waiter, isGranted);
    if (isGranted) partition.deficit -= waiter.weight;
    if (--partition.waiting === 0) this.#close(partition);
  }

  next(nowMs: number): OrderedWaiter | undefined {
    for (let turn = this.#turns.head; turn !== undefined; turn = this.#turns.head) {
      const partition = turn.item;
      if (partition !== this.#turnOf) this.#beginTurn(partition);
      const waiter = partition.line.next(nowMs);
      if (waiter !== undefined && partition.deficit >= waiter.weight) return waiter;
      this.#endTurn(partition);
    }
    return undefined;
  }

  #open(key: unknown): Partition {
    const share = this.#shareOf(key);
    // The hook may have made another caller of this partition wait.
    const opened = this.#partitions.get(key);
    if (opened !== undefined) return opened;
    const partition = new Partition(key, share, this.#within.line());
    this.#smallestShare = Math.min(this.#smallestShare, partition.share);
    this.#partitions.set(key, partition);
    this.#turns.push(partition.turn);
    return partition;
  }

  #close(partition: Partition): void {
    this.#partitions.delete(partition.key);
    partition.turn.leave();
    if (partition === this.#turnOf) this.#turnOf = undefined;
    if (this.#turns.size > 0) return;
    this.#smallestShare = Infinity;
    this.#largestWeight = 1;
  }

  #beginTurn(partition: Partition): void {
    this.#turnOf = partition;
    partition.deficit += (partition.share / this.#smallestShare) * this.#largestWeight;
  }

  #endTurn({ turn }: Partition): void {
    this.#turnOf = undefined;
    if (turn.leave()) this.#turns.push(turn);
  }
}
