/**
 * The one observer that the primitives report to. Without `watch()` there is none, and a primitive only
 * reads one field. This way no primitive imports the watcher.
 */

/** Why a wait began, and what could end it. */
export interface ObservedQueue {
  /** The object that the caller waits for. A wait without one is not observed. */
  readonly source?: object;
  /** The same, for waits that are not published on the channel of waits. */
  readonly observed?: object;
  /** A wait has left without a grant. */
  onLeave(why: 'aborted' | 'timedOut'): void;
  describe(waitedMs: number): { readonly key?: unknown; readonly limit: number };
  /** Whether the demand of a wait is a number of units; otherwise each wait wants one. */
  readonly weighs?: boolean;
  /** Whether waiters may overtake each other: the queue has an order of its own. */
  readonly overtakes?: boolean;
  /** For a wait on several keys at once: the keys that are still missing. */
  missing?(): Iterable<unknown>;
  /** For such a wait: the permits that it already has. */
  gathered?(): Iterable<object>;
  /** For a wait that something else than a released permit can end: whether it could end without these permits. */
  canServe?(stuck: { has(permit: object): boolean }): boolean;
}

/** What a permit or lease stands for. */
export interface ObservedGrant {
  readonly source: object;
  readonly key?: unknown;
  readonly weight: number;
  readonly limit: number;
}

/** A caller that waits. */
export interface ObservedWait {
  /** Whether it has a signal or a timeout. */
  readonly canGiveUp: boolean;
  refuse(makeError: () => Error): void;
}

export interface Observer {
  /** A permit or lease was granted to the code that runs now. */
  granted(permit: object, of: ObservedGrant): void;
  /** A waiter received it: it belongs to the waiter's code, not to the code that released it. */
  passed(permit: unknown, wait: object): void;
  /** A wait on several keys received one more of them. */
  gathered(permit: object, queue: ObservedQueue): void;
  released(permit: object): void;
  /** Runs a task that holds the permit, or all its parts, until its result has settled. */
  run<T>(permit: object & { readonly parts?: Iterable<object> | undefined }, task: () => T): T;
  waits(wait: ObservedWait, queue: ObservedQueue, demand: unknown): void;
  left(wait: ObservedWait): void;
}

/**
 * A field of a constant object: V8 takes its value for a constant until it is set for the first time. Only code of the main entry
 * reads it: V8 reads a constant that a file exports through a cell, which costs `tryAcquire` a quarter.
 */
export const watching: { observer: Observer | undefined } = { observer: undefined };

/** The observer in force, for code of other entries. */
export function observerNow(): Observer | undefined {
  return watching.observer;
}

/** Sets the observer in force; `undefined` ends it. */
export function observe(next: Observer | undefined): void {
  watching.observer = next;
}
