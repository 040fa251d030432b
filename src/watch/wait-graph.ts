/**
 * The graph of holders and waiters, and which waits can never end.
 *
 * Invariants
 *   WG1  A wait counts as stuck only if it stays unserved although every permit comes back that is not held by a stuck task.
 *   WG2  A task is stuck only while a wait of its own, or of a task that runs inside it, is stuck.
 *   WG3  A permit whose owner is unknown counts as one that comes back: it never closes a cycle.
 *   WG4  A wait behind a stuck one of the same queue is stuck too, unless the queue has an order: then it may be served first.
 *   WG5  Memory is O(held + waiting).
 *
 * A task is the function given to `run` or `use`, followed through its async context: two children of one `Promise.all` are
 *   two tasks inside one. A permit from `acquire()` has no known owner: its task may hand it over, and two branches of a task
 *   cannot be distinguished.
 * Cost: a wait looks only at what it depends on, and only if something depends on it. Lineage: Coffman, Elphick and Shoshani 1971 (reduction of a resource graph).
 */
import { now } from '../runtime/clock.js';
import type { ObservedGrant, ObservedQueue, ObservedWait } from '../runtime/observer.js';
import type { Trace } from './place.js';

export class Task {
  readonly parent: Task | undefined;
  readonly trace: Trace;
  /** Its own waits and those of the tasks inside it. */
  readonly waits = new Set<Wait>();
  readonly holds = new Set<Hold>();

  constructor(parent: Task | undefined, trace: Trace) {
    this.parent = parent;
    this.trace = trace;
  }

  /** This task and those that it runs inside, from the inside out. */
  *chain(): Generator<Task> {
    for (let task: Task | undefined = this; task !== undefined; task = task.parent) yield task;
  }
}

export class Hold {
  readonly source: WeakRef<object>;
  readonly key: unknown;
  readonly weight: number;
  readonly limit: number;
  readonly sinceMs = now();
  trace: Trace;
  /** The task that holds it; `undefined`: unknown. */
  task: Task | undefined;
  /** The wait on several keys that has got this one already. */
  gatheredBy: Wait | undefined;

  constructor({ key, weight, limit }: ObservedGrant, source: WeakRef<object>, trace: Trace) {
    this.source = source;
    this.key = key;
    this.weight = weight;
    this.limit = limit;
    this.trace = trace;
  }
}

let waitCount = 0;

export class Wait {
  readonly handle: ObservedWait;
  readonly queue: ObservedQueue;
  readonly source: object;
  readonly weight: number;
  readonly task: Task | undefined;
  readonly trace: Trace;
  readonly sinceMs = now();
  /** Which wait it is: queues are first come, first served. */
  readonly order = waitCount++;
  /** The keys in whose queues it may keep others waiting. */
  blocks: readonly unknown[] = [];

  constructor(
    handle: ObservedWait,
    queue: ObservedQueue,
    source: object,
    weight: number,
    task: Task | undefined,
    trace: Trace,
  ) {
    this.handle = handle;
    this.queue = queue;
    this.source = source;
    this.weight = weight;
    this.task = task;
    this.trace = trace;
  }

  /** Whether it may have to wait although a unit is free, and then keeps those behind it waiting. */
  get blocksOthers(): boolean {
    return this.weight > 1 || this.queue.missing !== undefined;
  }

  /** The keys that it still has to get; `undefined` where there are no keys. */
  get missing(): Iterable<unknown> {
    return this.queue.missing?.() ?? [this.queue.describe(0).key];
  }
}

/** One step of a deadlock: a wait, and a permit that it needs and that never comes back. */
export interface Step {
  readonly wait: Wait;
  readonly hold: Hold;
}

/** What is held of one object. */
interface Source {
  readonly ref: WeakRef<object>;
  readonly keys: Map<unknown, Set<Hold>>;
}

export class WaitGraph {
  readonly holds = new Set<Hold>();
  readonly waits = new Map<ObservedWait, Wait>();
  readonly #byPermit = new WeakMap<object, Hold>();
  readonly #bySource = new WeakMap<object, Source>();
  /** For each source and key, the waits that may keep others waiting, in the order in which they joined. */
  readonly #blocking = new WeakMap<object, Map<unknown, Wait[]>>();
  readonly #waitOfQueue = new WeakMap<ObservedQueue, Wait>();

  holdOf(permit: object): Hold | undefined {
    return this.#byPermit.get(permit);
  }

  waitOf(queue: ObservedQueue): Wait | undefined {
    return this.#waitOfQueue.get(queue);
  }

  /** The permit belongs to the task from now on. */
  own(permit: object, task: Task): void {
    const hold = this.#byPermit.get(permit);
    if (hold === undefined) return;
    hold.task = task;
    hold.gatheredBy = undefined;
    task.holds.add(hold);
  }

  /** The permit belongs to a wait on several keys until that has all of them. */
  gather(permit: object, wait: Wait): void {
    const hold = this.#byPermit.get(permit);
    if (hold === undefined) return;
    hold.gatheredBy = wait;
    hold.trace = wait.trace;
  }

  addHold(permit: object, grant: ObservedGrant, trace: Trace): Hold {
    let source = this.#bySource.get(grant.source);
    if (source === undefined) {
      source = { ref: new WeakRef(grant.source), keys: new Map() };
      this.#bySource.set(grant.source, source);
    }
    const hold = new Hold(grant, source.ref, trace);
    this.#byPermit.set(permit, hold);
    this.holds.add(hold);
    const sameKey = source.keys.get(grant.key);
    if (sameKey === undefined) source.keys.set(grant.key, new Set([hold]));
    else sameKey.add(hold);
    return hold;
  }

  removeHold(hold: Hold): void {
    this.holds.delete(hold);
    hold.task?.holds.delete(hold);
    const keys = this.#bySource.get(hold.source.deref() ?? hold)?.keys;
    const sameKey = keys?.get(hold.key);
    sameKey?.delete(hold);
    if (sameKey?.size === 0) keys?.delete(hold.key);
  }

  addWait(wait: Wait): void {
    this.waits.set(wait.handle, wait);
    this.#waitOfQueue.set(wait.queue, wait);
    for (const task of wait.task?.chain() ?? []) task.waits.add(wait);
    if (!wait.blocksOthers) return;
    let blocking = this.#blocking.get(wait.source);
    if (blocking === undefined) {
      blocking = new Map();
      this.#blocking.set(wait.source, blocking);
    }
    wait.blocks = [...wait.missing];
    for (const key of wait.blocks) {
      const line = blocking.get(key);
      if (line === undefined) blocking.set(key, [wait]);
      else line.push(wait);
    }
  }

  removeWait(handle: ObservedWait): void {
    const wait = this.waits.get(handle);
    if (wait === undefined) return;
    this.waits.delete(handle);
    const blocking = this.#blocking.get(wait.source);
    for (const key of wait.blocks) {
      const line = blocking?.get(key) ?? [];
      line.splice(indexFrom(line, wait.order), 1);
      if (line.length === 0) blocking?.delete(key);
    }
    for (const task of wait.task?.chain() ?? []) task.waits.delete(wait);
  }

  clear(): void {
    this.holds.clear();
    this.waits.clear();
  }

  /** Whether anything depends on the end of the wait. A circle is closed by a wait of which this is true. */
  isNeeded({ task }: Wait): boolean {
    for (const each of task?.chain() ?? []) if (each.holds.size > 0) return true;
    return false;
  }

  /** The steps from a wait that can never end to itself, or into a circle of others; `undefined` when it can end. */
  deadlockOf(wait: Wait): readonly Step[] | undefined {
    const stuck = this.#reachable(wait);
    for (let before = -1; before !== stuck.size; ) {
      before = stuck.size;
      // From the last one found, the first in its queue: each ends those that were found before it.
      for (const other of [...stuck].reverse()) if (this.#canBeServed(other, stuck)) stuck.delete(other);
    }
    return stuck.has(wait) ? this.#circle(wait, stuck) : undefined;
  }

  #reachable(from: Wait): Set<Wait> {
    const found = new Set([from]);
    for (const wait of found) {
      for (const hold of this.#holdsInTheWayOf(wait)) for (const next of waitsOfHolder(hold)) found.add(next);
      for (const ahead of this.#aheadOf(wait)) found.add(ahead);
    }
    return found;
  }

  *#holdsInTheWayOf(wait: Wait): Generator<Hold> {
    const keys = this.#bySource.get(wait.source)?.keys;
    if (keys === undefined) return;
    if (wait.queue.canServe !== undefined) for (const holds of keys.values()) yield* holds;
    else for (const key of wait.missing) yield* keys.get(key) ?? [];
  }

  /** For each key, the wait before it in the queue, without those that end whenever it could. */
  *#aheadOf(wait: Wait): Generator<Wait> {
    const blocking = wait.queue.overtakes ? undefined : this.#blocking.get(wait.source);
    if (blocking === undefined) return;
    for (const key of wait.missing) {
      const line = blocking.get(key) ?? [];
      const before = indexFrom(line, wait.order) - 1;
      // One that has this key already no longer stands in its queue.
      for (let i = before, found = false; i >= 0 && !found; i--) {
        found = [...line[i]!.missing].includes(key);
        if (found) yield line[i]!;
      }
    }
  }

  #canBeServed(wait: Wait, stuck: ReadonlySet<Wait>): boolean {
    const { queue } = wait;
    if (queue.canServe !== undefined) {
      const isStuck = (permit: object) => {
        const hold = this.#byPermit.get(permit);
        return hold !== undefined && isHeldByStuck(hold, stuck);
      };
      return queue.canServe({ has: isStuck });
    }
    const keys = this.#bySource.get(wait.source)?.keys;
    const limit = queue.missing === undefined ? queue.describe(0).limit : 1;
    for (const ahead of this.#aheadOf(wait)) if (stuck.has(ahead)) return false;
    // A limit of 0 is a pause: it ends from outside.
    if (limit === 0) return true;
    for (const key of wait.missing) {
      let never = 0;
      for (const hold of keys?.get(key) ?? []) if (isHeldByStuck(hold, stuck)) never += hold.weight;
      if (never > 0 && limit - never < wait.weight) return false;
    }
    return true;
  }

  #circle(from: Wait, stuck: ReadonlySet<Wait>): readonly Step[] {
    const steps: Step[] = [];
    const seen = new Set<Wait>();
    for (let wait: Wait | undefined = from; wait !== undefined && !seen.has(wait); ) {
      seen.add(wait);
      let next: Wait | undefined;
      for (const hold of this.#holdsInTheWayOf(wait)) {
        const waits = waitsOfHolder(hold).filter((other) => stuck.has(other));
        if (waits.length === 0) continue;
        next = waits.find((other) => seen.has(other)) ?? waits[0];
        steps.push({ wait, hold });
        break;
      }
      // It waits behind a stuck wait, not for a permit that a stuck task holds.
      wait = next ?? [...this.#aheadOf(wait)].find((ahead) => stuck.has(ahead));
    }
    return steps;
  }
}

/** The index of the first wait that joined at `order` or later. */
function indexFrom(line: readonly Wait[], order: number): number {
  let [low, high] = [0, line.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (line[middle]!.order < order) low = middle + 1;
    else high = middle;
  }
  return low;
}

function waitsOfHolder({ task, gatheredBy }: Hold): Wait[] {
  if (gatheredBy !== undefined) return [gatheredBy];
  return task === undefined ? [] : [...task.waits];
}

function isHeldByStuck(hold: Hold, stuck: ReadonlySet<Wait>): boolean {
  return waitsOfHolder(hold).some((wait) => stuck.has(wait));
}
