/**
 * One timer per duration, however many wait that long: equal durations expire in the order in which they began,
 * so a list and a timer for its head are enough, and a deadline costs a list entry instead of a timer.
 *
 * Invariant D1: a timer is armed exactly while somebody waits; the last one to leave takes it along.
 */
import { now, setTimer, type Timer } from './clock.js';
import { rootContext } from './context.js';
import { LinkedList, Place } from './linked-list.js';

export interface Expirable {
  /** When it began to wait; `onDeadline` notes it. */
  sinceMs?: number;
  onExpire(waitedMs: number): void;
}

/** Those who wait equally long, from the first to the last of them. */
class DeadlineGroup extends LinkedList<Place<Expirable>> {
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
      const waitedMs = nowMs - first.item.sinceMs!;
      // A timer may fire up to a millisecond early by the monotonic clock: that is no reason for another round.
      if (waitedMs < this.#durationMs - 1) {
        this.#timer = this.#arm(this.#durationMs - waitedMs);
        return;
      }
      first.leave();
      first.item.onExpire(waitedMs);
    }
  };
}

const groupByDuration = new Map<number, DeadlineGroup>();

/** Calls `target.onExpire` once, `durationMs` from now, unless the place that it returns has been left before. */
export function onDeadline(durationMs: number, target: Expirable): Place<Expirable> {
  let group = groupByDuration.get(durationMs);
  if (group === undefined) {
    group = new DeadlineGroup(durationMs);
    groupByDuration.set(durationMs, group);
  }
  target.sinceMs = now();
  const place = new Place(target);
  group.push(place);
  return place;
}
