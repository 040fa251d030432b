/**
 * One timer per duration, however many wait that long: equal durations expire in the order in which they began,
 * so a list and a timer for its head are enough, and a deadline costs a list entry instead of a timer.
 *
 * Invariant D1: a timer is armed exactly while somebody waits; the last one to leave takes it along.
 */
import { now, setTimer, type Timer } from './clock.js';
import { rootContext } from './context.js';
import { Link, LinkedList } from './linked-list.js';

export interface Expirable {
  onExpire(waitedMs: number): void;
}

/** One party's place among those who wait equally long. */
export class Deadline extends Link<Deadline> {
  readonly sinceMs = now();
  readonly target: Expirable;

  constructor(target: Expirable) {
    super();
    this.target = target;
  }
}

/** Those who wait equally long, from the first to the last of them. */
class DeadlineGroup extends LinkedList<Deadline> {
  readonly #durationMs: number;
  #timer: Timer;

  constructor(durationMs: number) {
    super();
    this.#durationMs = durationMs;
    this.#timer = this.#arm(durationMs);
  }

  override onEmpty(): void {
    this.#timer.cancel();
    groupByDuration.delete(this.#durationMs);
  }

  #arm(delayMs: number): Timer {
    return rootContext.run(setTimer, this.#expire, delayMs);
  }

  readonly #expire = (): void => {
    const nowMs = now();
    for (let first = this.head; first !== undefined; first = this.head) {
      const waitedMs = nowMs - first.sinceMs;
      // A timer may fire up to a millisecond early by the monotonic clock: that is no reason for another round.
      if (waitedMs < this.#durationMs - 1) {
        this.#timer = this.#arm(this.#durationMs - waitedMs);
        return;
      }
      first.leave();
      first.target.onExpire(waitedMs);
    }
  };
}

const groupByDuration = new Map<number, DeadlineGroup>();

/** Calls `target.onExpire` once, `durationMs` from now, unless the deadline has been left before. */
export function onDeadline(durationMs: number, target: Expirable): Deadline {
  let group = groupByDuration.get(durationMs);
  if (group === undefined) {
    group = new DeadlineGroup(durationMs);
    groupByDuration.set(durationMs, group);
  }
  const deadline = new Deadline(target);
  group.push(deadline);
  return deadline;
}
