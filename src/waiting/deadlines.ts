/**
 * Deadlines: one timer per duration, shared by all waits of that duration. Equal durations expire in the order in which they
 * began, so a list and a timer for its head are enough, and a deadline costs a list entry instead of a timer.
 *
 * Invariants
 *   DL1  A timer keeps the process alive exactly while something waits. Of the empty groups one is kept, and its timer rests,
 *        for a minute at most; a timer that cannot rest is cancelled, as every fake one is.
 *   DL2  A timer that fired after its full length counts, whatever `performance.now` says, because fake timers often do not
 *        replace that clock.
 *   DL3  Waits share a timer only under the same `setTimeout`, and only where timers and clock are both real or both replaced:
 *        what one test leaves pending under fake timers cannot stop the timeouts of the next.
 *   DL4  A timer that fires late lets the event loop poll before it decides. So a wait does not time out only because the
 *        process was blocked when its answer arrived.
 *
 * Cost: joining and leaving are O(1). Lineage: Node's own lists of timers by duration.
 */
import { rootContext } from '../runtime/async-context.js';
import { afterPoll, now, setTimer, type Timer, timerGrainMs } from '../runtime/clock.js';
import { Place, PlaceQueue } from './place-queue.js';

export interface Expirable {
  /** When it began to wait, in monotonic milliseconds; set by `onDeadline`. */
  sinceMs?: number;
  onExpire(waitedMs: number): void;
}

/** A timer that fires later than this counts as late, in milliseconds. */
const lateMs = 20;
/** A timer for a longer duration does not rest, so that it does not keep what it refers to in memory for hours. */
const longestRestMs = 60_000;
/** A connection made while the loop was blocked needs one poll to be seen, and another for the data it has received. */
const graceTurns = 3;

/** The groups under one `setTimeout`, by their duration. */
class Groups {
  readonly #byDuration = new Map<number, DeadlineGroup>();
  /** An empty group that is kept, because the next wait is often as long as the last one. */
  #spare: DeadlineGroup | undefined;

  get(durationMs: number): DeadlineGroup {
    let group = this.#byDuration.get(durationMs);
    if (group === undefined) {
      group = new DeadlineGroup(durationMs, this);
      this.#byDuration.set(durationMs, group);
    }
    return group;
  }

  keep(group: DeadlineGroup): void {
    const spare = this.#spare;
    this.#spare = group;
    if (spare !== group && spare?.size === 0) {
      spare.end();
      this.drop(spare);
    }
  }

  drop(group: DeadlineGroup): void {
    if (this.#byDuration.get(group.durationMs) === group) this.#byDuration.delete(group.durationMs);
  }
}

/** The waits of one duration, in the order in which they began. */
class DeadlineGroup extends PlaceQueue<Place<Expirable>> {
  readonly durationMs: number;
  readonly #groups: Groups | undefined;
  /** While nothing waits, a timer at rest. Without one while it expires. */
  #timer: Timer | undefined;
  #dueMs = 0;

  constructor(durationMs: number, groups: Groups | undefined) {
    super();
    this.durationMs = durationMs;
    this.#groups = groups;
  }

  add(target: Expirable, nowMs: number): Place<Expirable> {
    target.sinceMs = nowMs;
    if (this.size === 0) {
      if (this.#timer === undefined) this.#arm(this.durationMs, nowMs + this.durationMs);
      else this.#timer.ref?.(true);
    }
    const place = new Place(target);
    this.push(place);
    return place;
  }

  override onEmpty(): void {
    const groups = this.#groups;
    // A wait that begins while this group expires gets a timer of its own.
    if (this.#timer === undefined) groups?.drop(this);
    else {
      groups?.keep(this);
      const mayRest = groups !== undefined && this.durationMs <= longestRestMs;
      if (!mayRest || !this.#timer.ref?.(false)) this.end();
    }
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number, dueMs: number): void {
    this.#dueMs = dueMs;
    this.#timer = rootContext.run(setTimer, this.#fire, delayMs);
  }

  readonly #fire = (): void => {
    const nowMs = now();
    // Where only the timers are fake, the clock says nothing about their lateness.
    const isLate = this.#groups !== undefined && nowMs - this.#dueMs >= lateMs;
    this.#wait(isLate ? graceTurns : 0, Math.max(nowMs, this.#dueMs));
  };

  /** Lets the event loop poll `turns` times before the waits expire. Waits that end meanwhile leave. */
  #wait(turns: number, firedMs: number): void {
    if (turns === 0) this.#expire(firedMs);
    else this.#timer = afterPoll(() => this.#wait(turns - 1, firedMs));
  }

  /** Ends the waits that were due when the timer fired. One that became due while the event loop polled has its own grace. */
  #expire(firedMs: number): void {
    this.#timer = undefined;
    for (let first = this.head; first !== undefined; first = this.head) {
      const waitedMs = firedMs - first.item.sinceMs!;
      if (waitedMs < this.durationMs - timerGrainMs) {
        const dueMs = first.item.sinceMs! + this.durationMs;
        this.#arm(Math.max(0, dueMs - now()), dueMs);
        break;
      }
      first.leave();
      first.item.onExpire(waitedMs);
    }
  }
}

type SetTimeout = typeof globalThis.setTimeout;
type Now = typeof performance.now;

const real: { readonly setTimeout: SetTimeout; readonly now: Now } = {
  setTimeout: globalThis.setTimeout,
  now: performance.now,
};

/** The timers and the clock of the last call, and the groups under them: most programs never change them. */
let current: { setTimeout?: SetTimeout; now?: Now; groups?: Groups | undefined } = {};

/** The groups under the timers now in force; `undefined` where a timer cannot be shared (DL3). */
function sharedGroups(): Groups | undefined {
  const { setTimeout } = globalThis;
  const { now } = performance;
  if (setTimeout !== current.setTimeout || now !== current.now) {
    const areAlike = (setTimeout === real.setTimeout) === (now === real.now);
    current = { setTimeout, now, groups: areAlike ? new Groups() : undefined };
  }
  return current.groups;
}

/** Calls `target.onExpire` once, `durationMs` from now, unless the place that it returns has been left before. */
export function onDeadline(durationMs: number, target: Expirable): Place<Expirable> {
  const group = sharedGroups()?.get(durationMs) ?? new DeadlineGroup(durationMs, undefined);
  return group.add(target, now());
}
