/**
 * One timer per duration, however many wait that long: equal durations expire in the order in which they began,
 * so a list and a timer for its head are enough, and a deadline costs a list entry instead of a timer.
 *
 * Invariant D1: a timer is armed exactly while somebody waits; the last one to leave takes it along.
 */
import { now, setTimer, type Timer } from './clock.js';
import { rootContext } from './context.js';
import { type Linked, LinkedList } from './linked-list.js';

export interface Expirable {
  onExpire(waitedMs: number): void;
}

/** One party's place among those who wait equally long. */
export class Deadline implements Linked<Deadline> {
  previous: Deadline | undefined = undefined;
  next: Deadline | undefined = undefined;
  list: LinkedList<Deadline> | undefined = undefined;
  readonly sinceMs = now();
  readonly target: Expirable;
  readonly #group: DeadlineGroup;

  constructor(group: DeadlineGroup, target: Expirable) {
    this.#group = group;
    this.target = target;
  }

  /** Stops waiting; harmless when it already stopped. */
  cancel(): void {
    this.#group.remove(this);
  }
}

class DeadlineGroup {
  readonly #durationMs: number;
  readonly #deadlines = new LinkedList<Deadline>();
  #timer: Timer | undefined;

  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  add(target: Expirable): Deadline {
    const deadline = new Deadline(this, target);
    this.#deadlines.push(deadline);
    if (this.#timer === undefined) this.#arm(this.#durationMs);
    return deadline;
  }

  remove(deadline: Deadline): void {
    if (!this.#deadlines.remove(deadline) || this.#deadlines.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    groupByDuration.delete(this.#durationMs);
  }

  #arm(delayMs: number): void {
    this.#timer = rootContext.run(setTimer, this.#expire, delayMs);
  }

  readonly #expire = (): void => {
    const nowMs = now();
    for (let first = this.#deadlines.head; first !== undefined; first = this.#deadlines.head) {
      const waitedMs = nowMs - first.sinceMs;
      // A timer may fire up to a millisecond early by the monotonic clock: that is no reason for another round.
      if (waitedMs < this.#durationMs - 1) {
        this.#arm(this.#durationMs - waitedMs);
        return;
      }
      this.remove(first);
      first.target.onExpire(waitedMs);
    }
  };
}

const groupByDuration = new Map<number, DeadlineGroup>();

/** Calls `target.onExpire` once, `durationMs` from now. */
export function onDeadline(durationMs: number, target: Expirable): Deadline {
  let group = groupByDuration.get(durationMs);
  if (group === undefined) {
    group = new DeadlineGroup(durationMs);
    groupByDuration.set(durationMs, group);
  }
  return group.add(target);
}
