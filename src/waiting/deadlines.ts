/**
 * Deadlines: one timer per duration, shared by all waits of that duration. Equal durations expire in the order in which they
 * began, so a list and a timer for its head are enough, and a deadline costs a list entry instead of a timer.
 *
 * Invariants
 *   DL1  A timer is armed exactly while something waits: the last wait to leave cancels it.
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
import { afterPoll, now, setTimer, type Timer } from '../runtime/clock.js';
import { Link, LinkedList } from './linked-list.js';

export interface Expirable {
  /** When it began to wait, in monotonic milliseconds; set by `onDeadline`. */
  sinceMs?: number;
  onExpire(waitedMs: number): void;
}

/** A timer may fire up to a millisecond early by the monotonic clock. */
const timerGrainMs = 1;
/** A timer that fires later than this counts as late, in milliseconds. */
const lateMs = 20;
/** A connection made while the loop was blocked needs one poll to be seen, and another for the data it has received. */
const graceTurns = 3;

type Groups = Map<number, DeadlineGroup>;

/** The waits of one duration, in the order in which they began. */
class DeadlineGroup extends LinkedList<Link<Expirable>> {
  readonly #durationMs: number;
  readonly #groups: Groups | undefined;
  #timer: Timer | undefined;
  #dueMs = 0;

  constructor(durationMs: number, groups: Groups | undefined) {
    super();
    this.#durationMs = durationMs;
    this.#groups = groups;
    groups?.set(durationMs, this);
    this.#arm(durationMs);
  }

  override onEmpty(): void {
    this.#timer?.cancel();
    if (this.#groups?.get(this.#durationMs) === this) this.#groups.delete(this.#durationMs);
  }

  #arm(delayMs: number): void {
    this.#dueMs = now() + delayMs;
    this.#timer = rootContext.run(setTimer, this.#fire, delayMs);
  }

  readonly #fire = (): void => {
    // Where only the timers are fake, the clock says nothing about their lateness.
    if (this.#groups === undefined || now() - this.#dueMs < lateMs) this.#expire();
    else this.#wait(graceTurns);
  };

  /** Lets the event loop poll `turns` times before the waits expire. Waits that end meanwhile leave. */
  #wait(turns: number): void {
    if (turns === 0 || this.size === 0) this.#expire();
    else this.#timer = afterPoll(() => this.#wait(turns - 1));
  }

  #expire(): void {
    const nowMs = Math.max(now(), this.#dueMs);
    for (let first = this.head; first !== undefined; first = this.head) {
      const waitedMs = nowMs - first.item.sinceMs!;
      if (waitedMs < this.#durationMs - timerGrainMs) {
        this.#arm(this.#durationMs - waitedMs);
        return;
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
const groupsBySetTimeout = new WeakMap<SetTimeout, Groups>();

/** The timers and the clock of the last call, and the groups under them: most programs never change them. */
let current: { setTimeout: SetTimeout; now: Now; groups: Groups | undefined } = {
  ...real,
  groups: undefined,
};
inForce(real.setTimeout, real.now);

/** The groups under the timers now in force; `undefined` where a timer cannot be shared (DL3). */
function sharedGroups(): Groups | undefined {
  const { setTimeout } = globalThis;
  const { now: nowInForce } = performance;
  return setTimeout === current.setTimeout && nowInForce === current.now
    ? current.groups
    : inForce(setTimeout, nowInForce);
}

function inForce(setTimeout: SetTimeout, nowInForce: Now): Groups | undefined {
  let groups: Groups | undefined;
  if ((setTimeout === real.setTimeout) === (nowInForce === real.now)) {
    groups = groupsBySetTimeout.get(setTimeout) ?? new Map();
    groupsBySetTimeout.set(setTimeout, groups);
  }
  current = { setTimeout, now: nowInForce, groups };
  return groups;
}

/** Calls `target.onExpire` once, `durationMs` from now, unless the link that it returns has been left before. */
export function onDeadline(durationMs: number, target: Expirable): Link<Expirable> {
  const groups = sharedGroups();
  target.sinceMs = now();
  const group = groups?.get(durationMs) ?? new DeadlineGroup(durationMs, groups);
  const link = new Link(target);
  group.push(link);
  return link;
}
