/**
 * watch: reports what hangs: deadlocks in the turn that closes them, orders that could deadlock, and permits that are held for
 * too long or were lost without a release.
 *
 * Invariants
 *   WA1  No false alarm: only a wait that can never end is called a deadlock, provided that tasks await what they start.
 *   WA2  A deadlock is reported in the turn of the event loop that closes it, once.
 *   WA3  'reject' rejects one wait of a circle, the one that closes it, and only if no wait of the circle can give up.
 *   WA4  A watcher never releases anything: what is leaked stays held.
 *   WA5  After `stop()` nothing is reported, and no timer, listener or entry is left.
 *
 * Off by default: without a watcher a primitive compares one field with `undefined`. Cost while on: a stack per grant and
 *   per wait; a wait also looks at the permits and waits that it depends on.
 * Not here: what other processes hold. Lineage: parking_lot's check_deadlock, lockdep, Kotlin's `Mutex(owner)`.
 */
import { notify } from '../calling/listeners.js';
import {
  checkBoolean,
  checkDuration,
  checkFunction,
  checkOptions,
  type OptionNames,
} from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import { AsyncContext } from '../runtime/async-context.js';
import { afterPollOfNow, now, setTimer, type Timer } from '../runtime/clock.js';
import {
  type ObservedGrant,
  type ObservedQueue,
  type ObservedWait,
  type Observer,
  observe,
  observerNow,
} from '../runtime/observer.js';
import { currentTask, followsTasks } from './current-task.js';
import { LockOrders } from './lock-order.js';
import { Trace } from './place.js';
import {
  cycleOf,
  DeadlockError,
  deadlockReport,
  holdReport,
  limitedReport,
  nameOfHold,
  orderReport,
  type WatchReport,
} from './report.js';
import { snapshotOf, type WatchSnapshot } from './snapshot.js';
import { type Hold, Task, Wait, WaitGraph } from './wait-graph.js';

/** What to watch for. */
export interface WatchOptions {
  /** 'reject': the wait that closes a deadlock rejects with `DeadlockError`. 'report' (default): it is only reported. */
  deadlocks?: 'reject' | 'report' | undefined;
  /** Reports locks that are taken in orders that could deadlock, although they never have. Default true. */
  order?: boolean | undefined;
  /** A permit, lease or key that is held for longer is reported, in milliseconds. Default `Infinity`: never. */
  heldTooLongMs?: number | undefined;
  /** Called with each report; what it throws is ignored. Default: `process.emitWarning`, once per place in the program. */
  onReport?: ((report: WatchReport) => void) | undefined;
}

/** Made by `watch`. Works with `using`. */
export interface Watcher extends Disposable {
  /** All holders and all waiters now. */
  snapshot(): WatchSnapshot;
  /** Ends the watch. Idempotent. */
  stop(): void;
}

/** A task that starts something and ends at once is not a deadlock. It gets this many microtasks to end. */
const graceMicrotasks = 4;

interface Process {
  emitWarning?(message: string, type: string): void;
  on?(event: 'beforeExit', listener: () => void): void;
  off?(event: 'beforeExit', listener: () => void): void;
}
const { process, console } = globalThis as { process?: Process; console?: { error(text: string): void } };

const names: OptionNames<WatchOptions> = {
  deadlocks: true,
  order: true,
  heldTooLongMs: true,
  onReport: true,
};

/**
 * Watches every lock, semaphore, pool, single flight and queue of the process from now on, until `stop()`.
 *
 * A deadlock is a wait that can never end, because tasks that wait hold what it needs. A task is the function given to `run` or
 * `use`; it is assumed to await what it starts. `acquire()` is watched as well, but its permit never closes a circle: nobody
 * can know which part of a program will release it. When the process runs out of work while callers wait, the tree of
 * `snapshot()` is printed.
 *
 * @throws TypeError or RangeError for bad options; Error when the process is watched already.
 * @example
 * ```ts
 * import { Mutex } from 'latchkey';
 * import { watch } from 'latchkey/watch';
 *
 * const watcher = watch({ deadlocks: 'reject' });
 * const mutex = new Mutex();
 * const nested = mutex.run(() => mutex.run(() => 'never'));
 * console.log(await nested.catch((error) => error.code)); // → ERR_DEADLOCK
 * watcher.stop();
 * ```
 */
export function watch(options: WatchOptions = {}): Watcher {
  checkOptions(options, names);
  const { deadlocks = 'report', order = true, heldTooLongMs = Infinity, onReport = warner() } = options;
  if (deadlocks !== 'reject' && deadlocks !== 'report')
    throw new TypeError(`deadlocks must be 'reject' or 'report', got ${printable(deadlocks)}`);
  checkBoolean('order', order);
  checkDuration('heldTooLongMs', heldTooLongMs);
  checkFunction('onReport', onReport);
  if (observerNow() !== undefined) throw new Error('the process is watched already: stop that watcher first');
  return new ProcessWatcher({ deadlocks, order, heldTooLongMs, onReport });
}

/** Warns once per place, so that a loop does not fill the log. */
function warner(): (report: WatchReport) => void {
  const warned = new Set<string>();
  return (report) => {
    const text = String(report);
    const place = text.replace(/\d+ ms/g, '');
    if (warned.has(place)) return;
    warned.add(place);
    process?.emitWarning?.(text, 'LatchkeyWarning');
  };
}

type WatchSettings = { [Name in keyof WatchOptions]-?: Exclude<WatchOptions[Name], undefined> };

class ProcessWatcher implements Watcher, Observer {
  readonly #settings: WatchSettings;
  readonly #graph = new WaitGraph();
  readonly #orders = new LockOrders();
  readonly #context = new AsyncContext();
  readonly #collected = new FinalizationRegistry<Hold>((hold) => this.#onCollected(hold));
  readonly #reported = new WeakSet<Hold>();
  /** Permits of this turn. Most are released before it is over: only the others need a readable trace and a finalizer. */
  readonly #fresh = new Map<object, Hold>();
  /** Not fake ones: a test that sets the time forward or counts its timers must not meet the watcher's. */
  readonly #afterPoll = afterPollOfNow();
  #settling: Timer | undefined;
  #overdue: Timer | undefined;
  #stopped = false;

  constructor(settings: WatchSettings) {
    this.#settings = settings;
    observe(this);
    process?.on?.('beforeExit', this.#onBeforeExit);
    if (!followsTasks) this.#report(limitedReport());
  }

  snapshot(): WatchSnapshot {
    return snapshotOf(this.#graph);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    observe(undefined);
    this.#overdue?.cancel();
    this.#settling?.cancel();
    process?.off?.('beforeExit', this.#onBeforeExit);
    this.#graph.clear();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  // ---- what the primitives report ----------------------------------------------------------------------------

  granted(permit: object, grant: ObservedGrant): void {
    const hold = this.#graph.addHold(permit, grant, new Trace());
    this.#settleLater(permit, hold);
    this.#watchOverdue();
    this.#noteOrder(hold, currentTask.getStore());
  }

  passed(permit: unknown, waiter: object): void {
    const hold = this.#graph.holdOf(permit as object);
    const wait = this.#graph.waits.get(waiter as ObservedWait);
    if (hold === undefined || wait === undefined) return;
    hold.trace = wait.trace;
    this.#settleLater(permit as object, hold);
    this.#noteOrder(hold, wait.task);
  }

  gathered(permit: object, queue: ObservedQueue): void {
    const wait = this.#graph.waitOf(queue);
    if (wait === undefined) return;
    this.#graph.gather(permit, wait);
    this.#check(wait);
  }

  released(permit: object): void {
    const hold = this.#graph.holdOf(permit);
    if (hold === undefined) return;
    this.#collected.unregister(permit);
    this.#fresh.delete(permit);
    this.#graph.removeHold(hold);
  }

  run<T>(permit: object & { readonly parts?: Iterable<object> }, code: () => T): T {
    const parts = [...(permit.parts ?? [permit])];
    const trace = this.#graph.holdOf(parts[0] ?? permit)?.trace ?? new Trace();
    const task = new Task(currentTask.getStore(), trace);
    for (const part of parts) this.#graph.own(part, task);
    // Its result is not followed: with a second reaction on that promise, V8 would lose the callers from async stacks.
    return currentTask.run(task, code);
  }

  waits(handle: ObservedWait, queue: ObservedQueue, demand: unknown): void {
    const source = queue.observed ?? queue.source;
    if (source === undefined) return;
    const weight = queue.weighs === true ? (demand as number) : 1;
    const wait = new Wait(handle, queue, source, weight, currentTask.getStore(), new Trace());
    this.#graph.addWait(wait);
    for (const permit of queue.gathered?.() ?? []) this.#graph.gather(permit, wait);
    // Keys that it gathered were free, so nobody waits for them yet.
    if (this.#graph.isNeeded(wait)) this.#check(wait);
  }

  left(handle: ObservedWait): void {
    this.#graph.removeWait(handle);
  }

  // ---- what follows from it ------------------------------------------------------------------------------------

  #check(wait: Wait, microtasks = graceMicrotasks): void {
    if (this.#stopped || this.#graph.waits.get(wait.handle) !== wait) return;
    const steps = this.#graph.deadlockOf(wait);
    if (steps === undefined) return;
    if (microtasks > 0) {
      queueMicrotask(() => this.#check(wait, microtasks - 1));
      return;
    }
    const rejects =
      this.#settings.deadlocks === 'reject' && steps.every(({ wait: { handle } }) => !handle.canGiveUp);
    this.#report(deadlockReport(steps, rejects));
    if (!rejects) return;
    const cycle = cycleOf(steps);
    wait.handle.refuse(() => new DeadlockError(cycle));
    wait.queue.onLeave('aborted');
  }

  #settleLater(permit: object, hold: Hold): void {
    this.#fresh.set(permit, hold);
    this.#settling ??= this.#context.run(this.#afterPoll, () => {
      this.#settling = undefined;
      for (const [fresh, held] of this.#fresh) {
        held.trace.settle();
        this.#collected.register(fresh, held, fresh);
      }
      this.#fresh.clear();
    });
  }

  #noteOrder(hold: Hold, task: Task | undefined): void {
    if (!this.#settings.order || task === undefined) return;
    const held = [...task.chain()].flatMap(({ holds }) => [...holds]);
    const orders = this.#orders.note(held, hold, nameOfHold);
    if (orders !== undefined) this.#report(orderReport(orders));
  }

  /** One background timer, for the permit that is held the longest and has not been reported. */
  #watchOverdue(): void {
    const { heldTooLongMs } = this.#settings;
    if (this.#overdue !== undefined || heldTooLongMs === Infinity) return;
    this.#overdue = this.#context.run(setTimer, this.#reportOverdue, heldTooLongMs, { background: true });
  }

  readonly #reportOverdue = (): void => {
    const { heldTooLongMs } = this.#settings;
    const nowMs = now();
    let nextMs = Infinity;
    for (const hold of this.#graph.holds) {
      const leftMs = hold.sinceMs + heldTooLongMs - nowMs;
      if (this.#reported.has(hold)) continue;
      if (leftMs > 1) nextMs = Math.min(nextMs, leftMs);
      else {
        this.#reported.add(hold);
        this.#report(holdReport('heldTooLong', hold));
      }
    }
    this.#overdue = undefined;
    if (nextMs < Infinity && !this.#stopped)
      this.#overdue = this.#context.run(setTimer, this.#reportOverdue, nextMs, { background: true });
  };

  #onCollected(hold: Hold): void {
    // Its lock may have been collected with it: then it is no loss.
    if (this.#stopped || hold.source.deref() === undefined) {
      this.#graph.removeHold(hold);
      return;
    }
    this.#report(holdReport('leaked', hold));
  }

  /** The event loop is empty: what waits now waits for ever. */
  readonly #onBeforeExit = (): void => {
    if (this.#graph.waits.size === 0) return;
    console?.error(`the process has nothing left to do, but callers wait:\n${this.snapshot()}`);
  };

  #report(report: WatchReport): void {
    if (!this.#stopped) notify(this.#context, this.#settings.onReport, report);
  }
}
